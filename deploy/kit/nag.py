"""Findings of cdk-nag that are accepted, each where it arises and with its reason."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def accept(construct: IConstruct, finding: str, reason: str) -> None:
    """Accept a finding, `rule` or `rule[detail]`, of a construct and what it holds."""
    Validations.of(construct).acknowledge(Acknowledgment(id=finding, reason=reason))
