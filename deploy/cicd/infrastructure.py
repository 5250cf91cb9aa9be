"""Stack of the roles for workflows of one environment: one shows changes, one deploys."""

from __future__ import annotations

import re
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from deploy.cicd.permissions import release
from deploy.kit.deployment import names_of
from deploy.kit.grants import allow
from deploy.kit.names import Names
from deploy.kit.outputs import output
from deploy.release.bootstrap import QUALIFIER
from deploy.settings import Environment

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
#: `make deploy` takes 25 minutes and waits as long for the first cost.
SESSION = Duration.hours(2)
#: `owner/name`, or with ids `owner@id/name@id` for immutable subject claims, used by repositories created or renamed
#: since July 2026: https://docs.github.com/en/actions/concepts/security/openid-connect
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}(@\d+)?/[A-Za-z0-9._-]{1,100}(@\d+)?")


class RepositoryError(ValueError):
    """A name of a repository that cannot be used in a trust policy."""


class Cicd(Stack):
    """The identity provider of GitHub Actions, unless the account has it, and the two roles."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        environment: Environment,
        repository: str,
        create_provider: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(scope, id, **options)
        if not _REPOSITORY.fullmatch(repository) or repository.count("@") == 1:
            raise RepositoryError(
                f"{repository!r} is not a repository: use owner/name, or owner@id/name@id if its subject claims are "
                "immutable (`gh api repos/OWNER/NAME --jq '.owner.id, .id'` shows both numbers)"
            )
        self._repository = repository
        self._provider = f"arn:{self.partition}:iam::{self.account}:oidc-provider/{ISSUER}"
        if create_provider:
            made = iam.CfnOIDCProvider(self, "GitHub", url=f"https://{ISSUER}", client_id_list=[AUDIENCE])
            self._provider = made.attr_arn
        names = names_of(environment)
        self._plan(names)
        self._deploy(names, environment)

    def _plan(self, names: Names) -> None:
        """Role that looks up resources for `cdk diff`: for pull requests and the main branch."""
        role = self._role("Plan", f"{names.prefix}-plan", "pull_request", "ref:refs/heads/main")
        allow(role, ["sts:AssumeRole"], self._cdk_role("lookup"))

    def _deploy(self, names: Names, environment: Environment) -> None:
        """Role that deploys: for jobs of the GitHub environment of the same name, with its approval rules."""
        role = self._role("Deploy", f"{names.prefix}-deploy", f"environment:{environment.name}")
        allow(role, ["sts:AssumeRole"], *(self._cdk_role(kind) for kind in ("deploy", "file-publishing", "lookup")))
        release(role, names)

    def _role(self, id: str, name: str, *contexts: str) -> iam.Role:
        subjects = [f"repo:{self._repository}:{context}" for context in contexts]
        conditions = {"StringEquals": {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": subjects}}
        principal = iam.WebIdentityPrincipal(self._provider, conditions)
        role = iam.Role(self, id, role_name=name, assumed_by=principal, max_session_duration=SESSION)
        output(self, id, role.role_arn, f"Role of workflows: {id.lower()}")
        return role

    def _cdk_role(self, kind: str) -> str:
        """ARN of a role created by `python -m deploy bootstrap`."""
        return self.format_arn(
            service="iam",
            region="",
            resource="role",
            resource_name=f"cdk-{QUALIFIER}-{kind}-role-{self.account}-{self.region}",
        )
