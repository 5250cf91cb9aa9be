"""Cost of the other services: job, lake, functions, tables, API, uploads, monitoring."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.settings import Environment
from deploy.sizing.limits import GB, SECONDS_DAY
from deploy.sizing.model import DAYS_MONTH, HOURS_MONTH, MONTH_S, Size
from deploy.sizing.prices import Prices

#: Size of the task in deploy/ingest/uploads.py, and state transitions per run.
TASK_VCPU, TASK_GB, TRANSITIONS = 2, 8, 4
#: The same of the task in deploy/settlement/infrastructure.py.
SETTLING_VCPU, SETTLING_GB, SETTLING_TRANSITIONS = 4, 16, 5
SWEEPS_MONTH = MONTH_S / 60
CANARIES_MONTH = MONTH_S / 900
#: Minimum charge of an Athena query in TB; the canary's queries scan less. https://aws.amazon.com/athena/pricing/
LEAST_TB = 10e6 / 1e12
#: Metrics of an ECS cluster with Container Insights while a task is running.
CONTAINER_METRICS = 10
#: Custom metrics: five of alerting, two of the canary, five of settlement.
OWN_METRICS = 12
#: X-Ray samples one invocation per second and 5 % of the others.
TRACED_A_S, TRACED_SHARE = 1, 0.05


def managed_flink(size: Size, prices: Prices, kpu_disk_gb: float) -> float:
    """KPUs with the one for orchestration, their disk, and a snapshot of the state."""
    return (
        size.kpus * HOURS_MONTH * prices["kpu_hour"]
        + size.kpus * kpu_disk_gb * prices["kpu_storage_gb_month"]
        + size.state_gb * prices["snapshot_gb_month"]
    )


def s3(size: Size, prices: Prices) -> float:
    """Storage of a year of Parquet in the standard class, and PUT requests."""
    return size.lake_gb_month * 12 * prices["s3_gb_month"] + size.objects_month / 1000 * prices["s3_put_1000"]


def athena(size: Size, environment: Environment, prices: Prices) -> float:
    """Queries by people and by the canary."""
    canary_tb = CANARIES_MONTH * LEAST_TB if environment.canary else 0
    return (size.lake_gb_month * size.assumed["lake_reads"] / 1000 + canary_tb) * prices["athena_tb"]


def lambda_runs(size: Size, environment: Environment) -> float:
    """Invocations of functions per month."""
    api = size.assumed["users"] * size.assumed["api_requests_per_user_month"]
    written = size.readings_s * MONTH_S / size.assumed["readings_per_last_values_run"] if environment.last_values else 0
    canaries = CANARIES_MONTH if environment.canary else 0
    return SWEEPS_MONTH + canaries + size.alert_rows_month + api + written


def functions(size: Size, environment: Environment, prices: Prices) -> float:
    """Requests, duration and traces."""
    runs = lambda_runs(size, environment)
    traced = min(runs, MONTH_S * TRACED_A_S + runs * TRACED_SHARE)
    return (
        runs / 1e6 * prices["lambda_million_requests"]
        + runs * size.assumed["function_gb_s"] * prices["lambda_gb_s"]
        + traced / 1e6 * prices["trace_million"]
    )


def dynamodb(size: Size, environment: Environment, prices: Prices) -> float:
    """Writes (up to 1 kB each) of alerts, queries and last values; storage with point-in-time recovery."""
    asked = size.assumed["users"] * size.assumed["api_requests_per_user_month"]
    alerts = size.meters * size.assumed["alerts_per_meter_month"]
    writes, stored_gb = asked + alerts * size.assumed["writes_per_alert"], alerts * 2 * 1024 / GB
    if environment.last_values:
        writes += size.readings_s * MONTH_S
        stored_gb += size.readings_s * SECONDS_DAY * environment.last_values_days * 1024 / GB
    gb_month = prices["dynamodb_gb_month"] + prices["dynamodb_pitr_gb_month"]
    return writes / 1e6 * prices["dynamodb_million_writes"] + stored_gb * gb_month


def cloudwatch(size: Size, environment: Environment, prices: Prices, deployed: Mapping[str, float]) -> float:
    """Metrics of alarms, dashboard, ingestion and storage of logs, metrics of functions and containers."""
    log_gb = size.assumed["log_gb_month"]
    settling = DAYS_MONTH * size.assumed["settlement_hours"] if environment.settlement else 0
    running = (size.assumed["uploads_month"] * size.assumed["upload_hours"] + settling) / HOURS_MONTH
    return (
        deployed["alarm_metrics"] * prices["alarm_metric_month"]
        + deployed["dashboards"] * prices["dashboard_month"]
        + log_gb * prices["log_gb"]
        + log_gb * environment.log_days / 30 * prices["log_stored_gb_month"]
        + OWN_METRICS * prices["container_metric_month"]
        + CONTAINER_METRICS * running * prices["container_metric_month"]
    )


def kms(size: Size, prices: Prices, deployed: Mapping[str, float]) -> float:
    """Keys, and requests of streams, queues and functions; buckets use bucket keys."""
    requests = size.assumed["kms_requests_hour"] * HOURS_MONTH
    return deployed["keys"] * prices["kms_key_month"] + requests / 10_000 * prices["kms_10000_requests"]


def api_gateway(size: Size, prices: Prices) -> float:
    requests = size.assumed["users"] * size.assumed["api_requests_per_user_month"]
    return requests / 1e6 * prices["api_million_requests"]


def cognito(size: Size, prices: Prices) -> float:
    return size.assumed["users"] * prices["cognito_user"]


def tasks(size: Size, environment: Environment, prices: Prices) -> float:
    """A Fargate task and a state machine execution per file, and per night for settlement."""
    files, nights = size.assumed["uploads_month"], DAYS_MONTH if environment.settlement else 0
    upload = TASK_VCPU * prices["fargate_vcpu_hour"] + TASK_GB * prices["fargate_gb_hour"]
    settling = SETTLING_VCPU * prices["fargate_vcpu_hour"] + SETTLING_GB * prices["fargate_gb_hour"]
    transitions = (files * TRANSITIONS + nights * SETTLING_TRANSITIONS) / 1000 * prices["step_1000_transitions"]
    hours = nights * size.assumed["settlement_hours"]
    return files * size.assumed["upload_hours"] * upload + hours * settling + transitions


def ecr(size: Size, prices: Prices) -> float:
    return size.assumed["image_gb"] * prices["ecr_gb_month"]


def messages(size: Size, prices: Prices) -> float:
    """A message to a topic and a queue per alert change."""
    return size.alert_rows_month / 1e6 * (prices["sns_million_requests"] + prices["sqs_million_requests"])


def endpoints(environment: Environment, prices: Prices, deployed: Mapping[str, float]) -> float:
    """Interface endpoints, each in every availability zone; the gateway endpoint of S3 is free."""
    return deployed["interface_endpoints"] * environment.zones * HOURS_MONTH * prices["endpoint_interface_hour"]


def secrets(environment: Environment, prices: Prices) -> float:
    """Secrets named in the settings; they are created outside the templates."""
    count = len(environment.secrets) + bool(environment.sentry_secret_arn)
    return count * prices["secret_month"]
