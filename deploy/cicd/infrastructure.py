"""The stack of roles for workflows: one that shows what would change, one that deploys, each for one environment."""

from __future__ import annotations

import re
from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from deploy.cicd.permissions import release
from deploy.kit.deployment import names_of
from deploy.kit.grants import allow
from deploy.kit.names import Names
from deploy.release.bootstrap import QUALIFIER
from deploy.settings import Environment

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
#: `make deploy` takes 25 minutes, and waits for the first cost for as long.
SESSION = Duration.hours(2)
#: `owner/name`, each with its number where the repository has immutable subject claims, as those made or renamed since
#: July 2026 do: https://docs.github.com/en/actions/concepts/security/openid-connect
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}(@\d+)?/[A-Za-z0-9._-]{1,100}(@\d+)?")


class RepositoryError(ValueError):
    """A repository's name that a trust policy cannot be limited to."""


class Cicd(Stack):
    """The identity provider of GitHub Actions, where the account has none yet, and two roles."""

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
                f"{repository!r} is no repository: say owner/name, or owner@id/name@id where its subject claims are "
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
        """May look: of pull requests, and of the main branch before it is deployed."""
        role = self._role("Plan", f"{names.prefix}-plan", "pull_request", "ref:refs/heads/main")
        allow(role, ["sts:AssumeRole"], self._cdk_role("lookup"))

    def _deploy(self, names: Names, environment: Environment) -> None:
        """May deploy: jobs of the GitHub environment of the same name, which says who has to approve them."""
        role = self._role("Deploy", f"{names.prefix}-deploy", f"environment:{environment.name}")
        allow(role, ["sts:AssumeRole"], *(self._cdk_role(kind) for kind in ("deploy", "file-publishing", "lookup")))
        release(role, names)

    def _role(self, id: str, name: str, *contexts: str) -> iam.Role:
        subjects = [f"repo:{self._repository}:{context}" for context in contexts]
        conditions = {"StringEquals": {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": subjects}}
        principal = iam.WebIdentityPrincipal(self._provider, conditions)
        role = iam.Role(self, id, role_name=name, assumed_by=principal, max_session_duration=SESSION)
        CfnOutput(self, f"Out{id}", value=role.role_arn)
        return role

    def _cdk_role(self, kind: str) -> str:
        """A role that `python -m deploy bootstrap` has made; CloudFormation's own permissions are its policies."""
        return self.format_arn(
            service="iam",
            region="",
            resource="role",
            resource_name=f"cdk-{QUALIFIER}-{kind}-role-{self.account}-{self.region}",
        )
