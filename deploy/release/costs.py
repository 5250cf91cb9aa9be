"""Activates the cost allocation tag by which the budget selects the costs of a deployment."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

#: Tag of every resource (deploy/app.py).
TAG = "deployment"


def activate_tag(ce: Any) -> str:
    """Activate the tag; `ce` is a boto3 client of Cost Explorer. Returns the problem, or an empty string.

    The budget counts costs from the activation on.
    """
    try:
        answer = ce.update_cost_allocation_tags_status(CostAllocationTagsStatus=[{"TagKey": TAG, "Status": "Active"}])
        problems = [f"{error['Code']}: {error['Message']}" for error in answer.get("Errors", ())]
    except (ClientError, BotoCoreError) as error:
        problems = [str(error)]
    if not problems:
        return ""
    return (
        f"The budget counts no costs yet: tag {TAG!r} is not active for cost allocation ({'; '.join(problems)}). AWS "
        "Billing lists a tag up to 24 hours after its first use: run `python -m deploy cost-tag` tomorrow. In an "
        "organization only the management account can activate it"
    )
