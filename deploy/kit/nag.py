"""Accepted findings of cdk-nag, each at its construct and with a reason."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def accept(construct: IConstruct, finding: str, reason: str) -> None:
    """Accept a finding, `rule` or `rule[detail]`, of a construct and its children."""
    Validations.of(construct).acknowledge(Acknowledgment(id=finding, reason=reason))
