"""Kinds of resources that ministack does not have: a template may hold them, nothing is made of them."""

from __future__ import annotations

KINDS = ("AWS::Athena::NamedQuery", "AWS::Budgets::Budget", "AWS::EC2::FlowLog")


def install(handlers: dict) -> None:
    """Let templates with these kinds pass."""

    def create(logical_id: str, properties: dict, stack: str) -> tuple:
        return f"{stack}-{logical_id}", {}

    def delete(physical_id: str, properties: dict) -> None:
        return None

    for kind in KINDS:
        handlers.setdefault(kind, {"create": create, "delete": delete})
