"""The arguments that every unit takes: names, settings and key of a deployment; and its removal policy."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_kms as kms

from deploy.kit.names import Names
from deploy.settings import Environment


@dataclass(frozen=True)
class Deployment:
    """One deployment: `key` encrypts all its data."""

    names: Names
    environment: Environment
    key: kms.IKey


def names_of(environment: Environment) -> Names:
    """Names of an environment's resources in a template; account and region make bucket names unique."""
    return Names(environment.prefix, f"{Aws.ACCOUNT_ID}-{Aws.REGION}")


def removal(environment: Environment) -> RemovalPolicy:
    """Removal policy of resources that hold data: retained if the environment says so."""
    return RemovalPolicy.RETAIN if environment.retain else RemovalPolicy.DESTROY
