"""Outputs of stacks."""

from __future__ import annotations

from aws_cdk import CfnOutput, Stack


def output(stack: Stack, name: str, value: str, description: str) -> None:
    """Add an output `Out<name>` to a stack; it is not exported."""
    CfnOutput(stack, f"Out{name}", value=value, description=description)
