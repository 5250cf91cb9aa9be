"""Settings of the environments: local, dev, staging, prod."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import available_timezones

from deploy.overrides import SettingsError as SettingsError
from deploy.overrides import overridden

#: Prefix of all resource names, followed by the environment's name.
APPLICATION = "metering"

#: Settings that contain ARNs, and the services of those ARNs.
_ARNS = {"recipients": ("sns", "sqs"), "secrets": ("secretsmanager",), "recipient_keys": ("kms",)}


def _is_zone(name: str) -> bool:
    return name in available_timezones()


@dataclass(frozen=True)
class Environment:
    """Settings of one deployment. A customer changes them in `environments.toml` (deploy/overrides.py).

    account: AWS account of the environment, 12 digits. Commands refuse credentials of another account.
    shards: shards of the readings stream; 0 for on-demand.
    retention_h, contracts_retention_h: retention of the streams [h]. A job without state reads all contracts again.
    retain: retain data when the environment is removed; `down` is refused.
    parallelism, parallelism_per_kpu: slots of the job, and slots per KPU (1 for a job with state).
    autoscaling: let Managed Flink change the parallelism.
    buffer_s, buffer_mb: buffer of the delivery streams.
    log_days: retention of logs [days].
    archive_after_days: age at which costs move to Glacier Instant Retrieval [days]; 0: never.
    scan_limit_gb: data that one Athena query may scan [GB].
    queries_per_day, query_gb_per_day, queries_at_once: quota of each API user.
    last_values, last_values_days: write last values of each meter to DynamoDB, and for how long. With many meters its
        writes cost more than the job.
    monthly_budget_usd: budget [USD per month]; operators are notified at 80 % and at a forecast of 100 %.
    operators: email addresses for alarms and the budget.
    runbook_url: URL of docs/use/runbook.md for links in alarms.
    recipients: ARNs of SNS topics and SQS queues that routes may name, besides the environment's own topics.
    secrets: ARNs of the secrets that sign webhooks; they end in six random characters: `...:secret:hook-??????`.
    recipient_keys: ARNs of the KMS keys that encrypt recipients or secrets. `*` and `?` in ARNs match as in IAM.
    console_urls: URLs to which the sign-in page may redirect, https or localhost.
    sentry_secret_arn: ARN of the secret with the DSN of Sentry; empty: no error reports.
    job: settings of flink_job.config.Job.
    quiet_s: period without readings after which an alarm is raised [s], whole minutes; 0: no alarm.
    keep_snapshots: snapshots of the application to retain after a deployment (deploy/stream_job/snapshots.py).
    device_audit: audit certificates and policies of devices daily (AWS IoT Device Defender). The audit covers the whole
        account and region, so one environment of these has it.
    source: another environment of the account and region, whose streams, tariffs, rules and contracts the job reads
        instead of its own (docs/use/operate.md#side-by-side).
    canary: publish a synthetic reading every 15 minutes and raise an alarm if its cost is late or wrong.
    settlement: settle the billing cycles with news every night (docs/use/operate.md#settlement).
    settlement_hour, settlement_zone: hour of the day, 0 to 23, and IANA time zone in which it begins.
    """

    name: str
    region: str = "eu-west-1"
    account: str = ""
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
    queries_per_day: int = 500
    query_gb_per_day: int = 200
    queries_at_once: int = 5
    last_values: bool = True
    last_values_days: int = 7
    monthly_budget_usd: int = 100
    operators: tuple[str, ...] = ()
    runbook_url: str = ""
    recipients: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    recipient_keys: tuple[str, ...] = ()
    console_urls: tuple[str, ...] = ("http://localhost:8400/",)
    sentry_secret_arn: str = ""
    job: Mapping[str, str] = field(default_factory=dict)
    quiet_s: int = 0
    keep_snapshots: int = 10
    device_audit: bool = False
    source: str = ""
    canary: bool = True
    settlement: bool = True
    settlement_hour: int = 3
    settlement_zone: str = "UTC"

    def __post_init__(self) -> None:
        if self.autoscaling and self.shards == 1:
            raise SettingsError(
                f"{self.name}: autoscaling needs more than one shard: set shards, or autoscaling to false"
            )
        if not 24 <= self.retention_h <= self.contracts_retention_h <= 8760:
            raise SettingsError(
                f"{self.name}: retentions must be 24 to 8760 h, and contracts_retention_h at least retention_h"
            )
        if self.account and not re.fullmatch(r"\d{12}", self.account):
            raise SettingsError(f"{self.name}: account {self.account!r} is not a 12-digit AWS account id")
        for field_name, services in _ARNS.items():
            for arn in getattr(self, field_name):
                if not re.fullmatch(rf"arn:aws[a-z-]*:({'|'.join(services)}):[a-z0-9-]+:\d{{12}}:.+", arn):
                    kind = " or ".join(services)
                    raise SettingsError(f"{self.name}: {field_name}: {arn!r} is not an ARN of {kind}")
        if not 0 <= self.quiet_s <= 86_400 or self.quiet_s % 60:
            raise SettingsError(f"{self.name}: quiet_s must be whole minutes, at most one day (86400)")
        if self.source and (self.source == self.name or self.canary):
            raise SettingsError(
                f"{self.name}: an environment with a source must name another one and set canary = false: its "
                "readings would be in a stream that the job does not read"
            )
        if not 0 <= self.settlement_hour <= 23 or not _is_zone(self.settlement_zone):
            raise SettingsError(
                f"{self.name}: settlement_hour must be 0 to 23, and settlement_zone an IANA time zone, such as "
                "Europe/Madrid"
            )
        if not 1 <= self.keep_snapshots <= 400:
            raise SettingsError(
                f"{self.name}: keep_snapshots is {self.keep_snapshots}, but must be 1 to 400: an application may have "
                "1,000 snapshots, including those of backups"
            )

    @property
    def prefix(self) -> str:
        return f"{APPLICATION}-{self.name}"

    @property
    def source_prefix(self) -> str:
        """Prefix of the resources that the job reads: those of the source, or its own."""
        return f"{APPLICATION}-{self.source or self.name}"

    @property
    def zones(self) -> int:
        """Availability zones of the network; each has interface endpoints, which are charged for by the hour."""
        return 2 if self.retain else 1

    @property
    def max_parallelism(self) -> int:
        """Upper limit of the job's parallelism; it cannot change without dropping state."""
        return int(self.job.get("max_parallelism", "128"))


ENVIRONMENTS: Mapping[str, Environment] = {
    environment.name: environment
    for environment in (
        # The local endpoint, created from the same templates by deploy/local/stacks.py.
        Environment(
            "local",
            region="us-east-1",
            shards=2,
            retain=False,
            buffer_s=60,
            # Recipients of tests and demos (deploy/local/alerting.py).
            recipients=(
                "arn:aws:sqs:us-east-1:000000000000:metering-local-queue",
                "arn:aws:sns:us-east-1:000000000000:metering-local-people-*",
            ),
            secrets=("arn:aws:secretsmanager:us-east-1:000000000000:secret:metering-local-hook-*",),
        ),
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
            query_gb_per_day=1000,
            last_values=False,
            monthly_budget_usd=5000,
            quiet_s=3600,
        ),
    )
}


def environment_named(name: str) -> Environment:
    """The environment of this name, with the settings of `environments.toml`. Raises SettingsError."""
    environment = overridden(name, ENVIRONMENTS)
    if environment.source:
        source = overridden(environment.source, ENVIRONMENTS)
        if (source.region, source.account) != (environment.region, environment.account):
            raise SettingsError(
                f"{name}: its source {source.name} has another region or account ({source.region}, {source.account}): "
                "a job reads streams of its own region and account only"
            )
    return environment


def check_operators(environment: Environment) -> None:
    """Raises SettingsError if data are retained and no operator would be notified of alarms."""
    if environment.retain and not environment.operators:
        raise SettingsError(
            f"{environment.name} retains its data (retain) but has no operators to notify of alarms. Set them in "
            f'environments.toml:\n\n  [{environment.name}]\n  operators = ["operations@your-company.example"]\n'
        )


def check_account(environment: Environment, account: str) -> None:
    """Raises SettingsError if the credentials are of another account than the environment's.

    An environment that retains its data must set its account.
    """
    if environment.retain and not environment.account:
        raise SettingsError(
            f"{environment.name} retains its data (retain) but sets no account, so credentials of a wrong account "
            f"would not be detected. These are of {account}; if that is right, set in environments.toml:"
            f'\n\n  [{environment.name}]\n  account = "{account}"\n'
        )
    if environment.account and environment.account != account:
        raise SettingsError(
            f"{environment.name} belongs to account {environment.account} (deploy/settings.py, environments.toml), but "
            f"the credentials are of {account}: change AWS_PROFILE"
        )
