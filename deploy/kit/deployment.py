"""What every unit of a deployment is given: names, settings, the key that encrypts everything, and what is retained."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms

from deploy.kit.names import Names
from deploy.settings import Environment


@dataclass(frozen=True)
class Deployment:
    """One deployment, as its units see it."""

    names: Names
    environment: Environment
    key: kms.IKey


def removal(environment: Environment) -> RemovalPolicy:
    """Whether what holds data outlives its stack."""
    return RemovalPolicy.RETAIN if environment.retain else RemovalPolicy.DESTROY
