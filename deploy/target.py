"""The deployment that a command operates on, and boto3 clients for its region."""

from __future__ import annotations

from typing import Any

import boto3

from deploy.kit.names import Names
from deploy.settings import Environment, check_account, environment_named


def target(env: str) -> tuple[Environment, Names, str]:
    """The environment of this name, the names of its resources, and the account of the current credentials.

    Raises SettingsError if the environment belongs to another account.
    """
    environment = environment_named(env)
    account = client("sts", environment).get_caller_identity()["Account"]
    check_account(environment, account)
    return environment, Names(environment.prefix, f"{account}-{environment.region}"), account


def client(service: str, environment: Environment) -> Any:
    """A boto3 client of a service in the region of an environment."""
    return boto3.client(service, region_name=environment.region)
