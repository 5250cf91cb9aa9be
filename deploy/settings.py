"""Settings of the environments: what differs between a trial, a rehearsal and the factory's own bill."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.overrides import SettingsError as SettingsError
from deploy.overrides import overridden

#: Names of everything begin with it, then the environment's.
APPLICATION = "metering"


#: Settings that hold ARNs, and of which services.
_ARNS = {"recipients": ("sns", "sqs"), "secrets": ("secretsmanager",), "recipient_keys": ("kms",)}


@dataclass(frozen=True)
class Environment:
    """One deployment.

    `shards`: of the readings stream, 0 for on-demand. `retention_h`: how long streams keep records: a job that starts
    without state reads the contracts again, so theirs are kept `contracts_retention_h`. `retain`: data outlive
    `make destroy`. `parallelism`: slots of the job; `parallelism_per_kpu` of them share a KPU (1 for a job with state).
    `scan_limit_gb`: what one Athena query may read. `queries_per_day`, `query_gb_per_day`, `queries_at_once`: what each
    user of the API may ask of Athena. `last_values`: the function that keeps the last values of each
    meter in DynamoDB, whose writes cost more than the job does where meters are many. `operators`: addresses that
    alarms and the budget go to; `runbook_url`: where they read docs/use/runbook.md, for the links in alarms. `job` are
    settings of flink_job.config.Job. `quiet_s`: for how long no reading may arrive before an alarm goes off, 0 for no
    such alarm. `canary`: a synthetic reading each quarter of an hour, with an alarm on its cost. `keep_snapshots`: how
    many snapshots of the application remain after a deployment (deploy/release/snapshots.py).

    `account`: the AWS account that this environment belongs to; another is refused. `recipients`: ARNs of SNS topics
    and SQS queues that routes may name besides the environment's own topics; `secrets`: ARNs of the secrets with which
    webhooks are signed; `recipient_keys`: ARNs of the KMS keys that encrypt either. `*` and `?` match as in
    IAM. A secret's ARN ends in six random characters: `...:secret:hook-??????`. `console_urls`: where the
    sign-in page may send people back to, https or localhost.

    What differs from customer to customer is said in `environments.toml` (deploy/overrides.py).
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
    canary: bool = True

    def __post_init__(self) -> None:
        if self.autoscaling and self.shards == 1:
            raise SettingsError(f"{self.name}: autoscaling can use no more slots than the stream has shards")
        if not 24 <= self.retention_h <= self.contracts_retention_h <= 8760:
            raise SettingsError(f"{self.name}: retentions lie between 24 and 8760 h, the contracts' is not the shorter")
        if self.account and not re.fullmatch(r"\d{12}", self.account):
            raise SettingsError(f"{self.name}: account {self.account!r} is not the 12 digits of an AWS account")
        for field_name, services in _ARNS.items():
            for arn in getattr(self, field_name):
                if not re.fullmatch(rf"arn:aws[a-z-]*:({'|'.join(services)}):[a-z0-9-]+:\d{{12}}:.+", arn):
                    kind = " or ".join(services)
                    raise SettingsError(f"{self.name}: {field_name}: {arn!r} is not the ARN of a resource of {kind}")
        if not 0 <= self.quiet_s <= 86_400 or self.quiet_s % 60:
            raise SettingsError(f"{self.name}: quiet_s is whole minutes, and at most a day (86400)")
        if not 1 <= self.keep_snapshots <= 400:
            raise SettingsError(
                f"{self.name}: keep_snapshots is {self.keep_snapshots}; it lies between 1 and 400, as an application "
                "may have 1,000 snapshots, those of backups included"
            )

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
        Environment(
            "local",
            region="us-east-1",
            shards=2,
            retain=False,
            buffer_s=60,
            # What tests and demonstrations send to (deploy/local/alerting.py).
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
    """The environment of a name, with what `environments.toml` says of it. Raises SettingsError."""
    return overridden(name, ENVIRONMENTS)


def check_operators(environment: Environment) -> None:
    """Raises SettingsError where data are kept and nobody would be told of alarms."""
    if environment.retain and not environment.operators:
        raise SettingsError(
            f"{environment.name} keeps its data (retain) and has no operators: alarms would reach nobody. Name them in "
            f'environments.toml:\n\n  [{environment.name}]\n  operators = ["operations@your-company.example"]\n'
        )


def check_account(environment: Environment, account: str) -> None:
    """Raises SettingsError where an environment belongs to another account than the one whose credentials are used, and
    where data are kept and it is not said which account they are kept in.
    """
    if environment.retain and not environment.account:
        raise SettingsError(
            f"{environment.name} keeps its data (retain) and no account is named for it, so credentials of a wrong one "
            f"would go unnoticed. These credentials are of {account}; if that is right, write into environments.toml:"
            f'\n\n  [{environment.name}]\n  account = "{account}"\n'
        )
    if environment.account and environment.account != account:
        raise SettingsError(
            f"{environment.name} belongs to account {environment.account} (deploy/settings.py, environments.toml), and "
            f"these credentials are of {account}: change AWS_PROFILE"
        )
