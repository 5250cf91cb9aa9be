"""`cdk bootstrap` of an account and region, with least-privilege policies for CloudFormation's execution role."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from deploy.release.cdk import Cdk
from deploy.release.execution_policy import policies, used_types
from deploy.settings import APPLICATION

#: A separate qualifier leaves the bootstrap resources of other CDK applications in the account unchanged. cdk.json
#: passes it to the synthesis.
QUALIFIER, TOOLKIT = APPLICATION, f"{APPLICATION}-toolkit"
#: Versions of a managed policy that IAM stores.
VERSIONS = 5


def bootstrap(cdk: Cdk, iam: Any, account: str, region: str) -> None:
    """Create or update the policies, then run `cdk bootstrap`. Raises CdkError and ClientError."""
    documents = policies(used_types(), account, region)
    arns = [_put(iam, account, f"{APPLICATION}-cloudformation-{region}-{n}", d) for n, d in enumerate(documents, 1)]
    cdk.run(
        "bootstrap",
        f"aws://{account}/{region}",
        *("--qualifier", QUALIFIER, "--toolkit-stack-name", TOOLKIT),
        *("--cloudformation-execution-policies", ",".join(arns)),
    )


def _put(iam: Any, account: str, name: str, document: dict[str, Any]) -> str:
    """Create a managed policy, or set the document as its default version; returns its ARN."""
    arn, text = f"arn:aws:iam::{account}:policy/{name}", json.dumps(document, separators=(",", ":"))
    try:
        iam.create_policy(PolicyName=name, PolicyDocument=text)
        return arn
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityAlreadyExists":
            raise
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    current = next(version["VersionId"] for version in versions if version["IsDefaultVersion"])
    if iam.get_policy_version(PolicyArn=arn, VersionId=current)["PolicyVersion"]["Document"] == document:
        return arn
    if len(versions) == VERSIONS:
        oldest = min((v for v in versions if not v["IsDefaultVersion"]), key=lambda version: version["CreateDate"])
        iam.delete_policy_version(PolicyArn=arn, VersionId=oldest["VersionId"])
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
    return arn
