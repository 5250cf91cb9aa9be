"""Monthly bill by service, and possible savings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from deploy.settings import Environment
from deploy.sizing import ingest, services
from deploy.sizing.model import MONTH_S, Size, size
from deploy.sizing.prices import Prices, figures

#: Assumptions of savings: readings per message, days of state.
READINGS_A_MESSAGE, STATE_DAYS = 10, 40


@dataclass(frozen=True)
class Plan:
    """Input of an estimate: meters, interval of readings, days of state, environment, devices on IoT Core."""

    meters: int
    interval_s: int
    state_days: int
    environment: Environment
    devices: int = 0

    @property
    def size(self) -> Size:
        """Required resources. Raises ValueError."""
        return size(self.meters, self.interval_s, self.state_days, self.environment)


@dataclass(frozen=True)
class Saving:
    """A change that lowers the bill, its savings per month, and its drawback."""

    name: str
    saved_usd: float
    price: str


def bill(plan: Plan, prices: Prices) -> dict[str, float]:
    """USD per month by service, with the names of kinds.ROWS. Raises ValueError."""
    needed, environment, known = plan.size, plan.environment, figures()
    deployed: dict[str, Any] = known["deployed"]
    return {
        "Kinesis": ingest.kinesis(needed, environment, prices),
        "Managed Flink": services.managed_flink(needed, prices, known["limits"]["kpu_disk_gb"]),
        "Firehose": ingest.firehose(needed, prices),
        "IoT Core": ingest.iot(needed, plan.devices, environment, prices),
        "S3": services.s3(needed, prices),
        "Athena": services.athena(needed, environment, prices),
        "Lambda": services.functions(needed, environment, prices),
        "DynamoDB": services.dynamodb(needed, environment, prices),
        "CloudWatch": services.cloudwatch(needed, environment, prices, deployed),
        "KMS": services.kms(needed, prices, deployed),
        "API Gateway": services.api_gateway(needed, prices),
        "Cognito": services.cognito(needed, prices),
        "Step Functions and Fargate": services.tasks(needed, environment, prices),
        "ECR": services.ecr(needed, prices),
        "SNS and SQS": services.messages(needed, prices),
        "VPC endpoints": services.endpoints(environment, prices, deployed),
        "Secrets Manager": services.secrets(environment, prices),
    }


def savings_of(plan: Plan, prices: Prices) -> list[Saving]:
    """Savings, the largest first. Each is computed alone; several together may save less than their sum."""
    now = sum(bill(plan, prices).values())
    found = [
        *(
            Saving(name, now - sum(bill(changed, prices).values()), price)
            for name, changed, price in _changes(plan)
            if changed != plan
        ),
        *_fewer_messages(plan, prices),
    ]
    return sorted((saving for saving in found if saving.saved_usd > 0), key=lambda saving: -saving.saved_usd)


def _changes(plan: Plan) -> list[tuple[str, Plan, str]]:
    environment = plan.environment

    def change(**fields: Any) -> Plan:
        return replace(plan, environment=replace(environment, **fields))

    shards = plan.size.shards
    if environment.autoscaling:
        shards = max(shards, 2)
    days = min(plan.state_days, STATE_DAYS)
    return [
        (f"state_days = {days}", replace(plan, state_days=days), "later corrections of readings are not recognized"),
        (f"shards = {shards}", change(shards=shards), "the stream does not scale automatically"),
        ("retention_h = 24", change(retention_h=24), "the job may be stopped for at most a day"),
        ("last_values = false", change(last_values=False), "current values come from Athena, minutes later"),
        ("parallelism = 1", change(parallelism=1), "catching up takes longer until the job has scaled"),
    ]


def _fewer_messages(plan: Plan, prices: Prices) -> list[Saving]:
    """Savings for devices on IoT Core."""
    if not plan.devices:
        return []
    millions = plan.size.readings_s * MONTH_S / 1e6
    each = prices["iot_message_million"] + prices["iot_rule_million"] + prices["iot_action_million"]
    return [
        Saving(
            "Basic Ingest: publish to $aws/rules/<rule>/...",
            millions * prices["iot_message_million"],
            "only the rule receives messages; policy and topic of devices change",
        ),
        Saving(
            f"{READINGS_A_MESSAGE} readings per message",
            millions * (1 - 1 / READINGS_A_MESSAGE) * each,
            "readings arrive later; devices publish a JSON array",
        ),
    ]
