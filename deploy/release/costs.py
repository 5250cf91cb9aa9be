"""The tag that a budget tells deployments apart by: billing knows it only once it has been activated."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

#: What every resource carries (deploy/app.py).
TAG = "deployment"


def activate_tag(ce: Any) -> str:
    """Activate the tag for cost allocation; `ce` is boto3's Cost Explorer. Returns why it could not be, or nothing.

    The budget counts costs from then on, and not those before.
    """
    try:
        answer = ce.update_cost_allocation_tags_status(CostAllocationTagsStatus=[{"TagKey": TAG, "Status": "Active"}])
        problems = [f"{error['Code']}: {error['Message']}" for error in answer.get("Errors", ())]
    except (ClientError, BotoCoreError) as error:
        problems = [str(error)]
    if not problems:
        return ""
    return (
        f"the budget counts nothing yet, as tag {TAG!r} is not active for cost allocation ({'; '.join(problems)}). "
        "Billing knows a tag up to 24 hours after it is first used: run `python -m deploy cost-tag` tomorrow. In an "
        "organization only the management account may activate it"
    )
