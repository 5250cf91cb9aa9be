"""The bill of a month, by service, and what would make it smaller."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from deploy.settings import Environment
from deploy.sizing import ingest, services
from deploy.sizing.model import MONTH_S, Size, size
from deploy.sizing.prices import Prices, figures

#: What the ways down suppose: readings in a message, days of state.
READINGS_A_MESSAGE, STATE_DAYS = 10, 40


@dataclass(frozen=True)
class Plan:
    """What is asked for: meters, how often they send, how long the job remembers, what is deployed."""

    meters: int
    interval_s: int
    state_days: int
    environment: Environment
    devices: int = 0

    @property
    def size(self) -> Size:
        """What it needs. Raises ValueError."""
        return size(self.meters, self.interval_s, self.state_days, self.environment)


@dataclass(frozen=True)
class WayDown:
    """A change that makes the bill smaller, by how much a month, and what is given up."""

    name: str
    saved_usd: float
    price: str


def bill(plan: Plan, prices: Prices) -> dict[str, float]:
    """USD a month by service: a row for each name in kinds.ROWS. Raises ValueError."""
    needed, environment, known = plan.size, plan.environment, figures()
    deployed: dict[str, Any] = known["deployed"]
    return {
        "Kinesis": ingest.kinesis(needed, environment, prices),
        "Managed Flink": services.managed_flink(needed, prices, known["limits"]["kpu_disk_gb"]),
        "Firehose": ingest.firehose(needed, prices),
        "IoT Core": ingest.iot(needed, plan.devices, prices),
        "S3": services.s3(needed, prices),
        "Athena": services.athena(needed, environment, prices),
        "Lambda": services.functions(needed, environment, prices),
        "DynamoDB": services.dynamodb(needed, environment, prices),
        "CloudWatch": services.cloudwatch(needed, environment, prices, deployed),
        "KMS": services.kms(needed, prices, deployed),
        "API Gateway": services.api_gateway(needed, prices),
        "Cognito": services.cognito(needed, prices),
        "Step Functions and Fargate": services.uploads(needed, prices),
        "ECR": services.ecr(needed, prices),
        "SNS and SQS": services.messages(needed, prices),
        "VPC endpoints": services.endpoints(prices, deployed),
        "Secrets Manager": services.secrets(environment, prices),
    }


def ways_down(plan: Plan, prices: Prices) -> list[WayDown]:
    """What saves money, the most first. Each is reckoned alone: two of them may save less than their sum."""
    now = sum(bill(plan, prices).values())
    found = [
        *(
            WayDown(name, now - sum(bill(changed, prices).values()), price)
            for name, changed, price in _changes(plan)
            if changed != plan
        ),
        *_fewer_messages(plan, prices),
    ]
    return sorted((way for way in found if way.saved_usd > 0), key=lambda way: -way.saved_usd)


def _changes(plan: Plan) -> list[tuple[str, Plan, str]]:
    environment = plan.environment

    def change(**fields: Any) -> Plan:
        return replace(plan, environment=replace(environment, **fields))

    shards = plan.size.shards
    if environment.autoscaling:
        shards = max(shards, 2)
    days = min(plan.state_days, STATE_DAYS)
    return [
        (f"state_days = {days}", replace(plan, state_days=days), "later corrections of readings are not recognised"),
        (f"shards = {shards}", change(shards=shards), "the stream does not grow by itself"),
        ("retention_h = 24", change(retention_h=24), "the job may stand still for a day at most"),
        ("last_values = false", change(last_values=False), "current values come from Athena, minutes later"),
        ("parallelism = 1", change(parallelism=1), "a longer time to catch up until the job has scaled"),
    ]


def _fewer_messages(plan: Plan, prices: Prices) -> list[WayDown]:
    """Of devices over IoT Core."""
    if not plan.devices:
        return []
    millions = plan.size.readings_s * MONTH_S / 1e6
    each = prices["iot_message_million"] + prices["iot_rule_million"] + prices["iot_action_million"]
    return [
        WayDown(
            "Basic Ingest: publish to $aws/rules/<rule>/...",
            millions * prices["iot_message_million"],
            "nobody but the rule can subscribe; policy and topic of devices change",
        ),
        WayDown(
            f"{READINGS_A_MESSAGE} readings in a message",
            millions * (1 - 1 / READINGS_A_MESSAGE) * each,
            "readings come later; devices publish a JSON array",
        ),
    ]
