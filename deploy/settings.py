"""Settings of the environments: what differs between a trial, a rehearsal and the factory's own bill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Names of everything begin with it, then the environment's.
APPLICATION = "metering"


class SettingsError(ValueError):
    """An environment that is not there, or settings that contradict each other; the message says what to change."""


@dataclass(frozen=True)
class Environment:
    """One deployment.

    `shards`: of the readings stream, 0 for on-demand. `retention_h`: how long streams keep records: a job that starts
    without state reads the contracts again, so theirs are kept `contracts_retention_h`. `retain`: data outlive
    `make destroy`. `parallelism`: slots of the job; `parallelism_per_kpu` of them share a KPU (1 for a job with state).
    `scan_limit_gb`: what one Athena query may read. `last_values`: the function that keeps the last values of each
    meter in DynamoDB, whose writes cost more than the job does where meters are many. `job` are settings of
    flink_job.config.Job.
    """

    name: str
    region: str = "eu-west-1"
    shards: int = 0
    retention_h: int = 24
    contracts_retention_h: int = 8760
    retain: bool = True
    parallelism: int = 1
    parallelism_per_kpu: int = 1
    autoscaling: bool = False
    buffer_s: int = 300
    buffer_mb: int = 64
    log_days: int = 30
    archive_after_days: int = 0
    scan_limit_gb: int = 10
    last_values: bool = True
    last_values_days: int = 7
    monthly_budget_usd: int = 100
    operators: tuple[str, ...] = ()
    sentry_secret_arn: str = ""
    job: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.autoscaling and self.shards == 1:
            raise SettingsError(f"{self.name}: autoscaling can use no more slots than the stream has shards")
        if not 24 <= self.retention_h <= self.contracts_retention_h <= 8760:
            raise SettingsError(f"{self.name}: retentions lie between 24 and 8760 h, the contracts' is not the shorter")

    @property
    def prefix(self) -> str:
        return f"{APPLICATION}-{self.name}"

    @property
    def max_parallelism(self) -> int:
        """Fixed for the life of the job's state: room to grow."""
        return int(self.job.get("max_parallelism", "128"))


ENVIRONMENTS: Mapping[str, Environment] = {
    environment.name: environment
    for environment in (
        # At the local endpoint: made from the same templates, by deploy/local/stacks.py.
        Environment("local", region="us-east-1", shards=2, retain=False, buffer_s=60),
        Environment("dev", shards=1, retain=False, log_days=7),
        Environment("staging", shards=2, retention_h=48, retain=False, parallelism=2, monthly_budget_usd=500),
        Environment(
            "prod",
            retention_h=168,
            parallelism=4,
            autoscaling=True,
            log_days=90,
            archive_after_days=180,
            scan_limit_gb=100,
            last_values=False,
            monthly_budget_usd=5000,
        ),
    )
}


def environment_named(name: str) -> Environment:
    """The environment of a name. Raises SettingsError."""
    try:
        return ENVIRONMENTS[name]
    except KeyError:
        raise SettingsError(
            f"no environment {name!r}; there are {', '.join(ENVIRONMENTS)} (deploy/settings.py)"
        ) from None
