"""Names of a deployment's resources that people or devices use. CloudFormation names the others."""

from __future__ import annotations

from dataclasses import dataclass, replace

#: Keys in the registry bucket.
TARIFFS, RULES, ROUTES, CONTRACTS = "tariffs/", "rules/rules.yaml", "rules/routes.json", "contracts/contracts.ndjson.gz"
#: Snapshot of the latest contract of each meter, from which a job without state starts
#: (flink_job/io/contract_snapshot.py).
SNAPSHOT = "contracts/snapshot.ndjson.gz"
#: Prefix of rules and routes; those of tenants other than `default` are under rules/<tenant>/.
RULES_FOLDER = "rules/"


@dataclass(frozen=True)
class Names:
    """Names of one deployment: `prefix` is unique in an account, `suffix` makes bucket names globally unique."""

    prefix: str
    suffix: str = "000000000000-us-east-1"

    def of(self, prefix: str) -> Names:
        """Names of another environment in the same account and region."""
        return replace(self, prefix=prefix)

    @property
    def readings(self) -> str:
        return f"{self.prefix}-readings"

    @property
    def contracts(self) -> str:
        return f"{self.prefix}-contracts"

    @property
    def contract_store(self) -> str:
        """Table of the latest contract of each meter."""
        return f"{self.prefix}-contracts"

    @property
    def alert_state(self) -> str:
        """Table of alerts and their notifications."""
        return f"{self.prefix}-alert-state"

    @property
    def alerts(self) -> str:
        return f"{self.prefix}-alerts"

    @property
    def lake(self) -> str:
        return f"{self.prefix}-lake-{self.suffix}"

    @property
    def registry(self) -> str:
        """Bucket of tariffs, rules and routes."""
        return f"{self.prefix}-registry-{self.suffix}"

    @property
    def uploads(self) -> str:
        return f"{self.prefix}-uploads-{self.suffix}"

    @property
    def backups(self) -> str:
        return f"{self.prefix}-backups-{self.suffix}"

    @property
    def access_logs(self) -> str:
        return f"{self.prefix}-access-logs-{self.suffix}"

    @property
    def database(self) -> str:
        return self.prefix.replace("-", "_")

    @property
    def application(self) -> str:
        return f"{self.prefix}-job"

    @property
    def images(self) -> str:
        return f"{self.prefix}-run"

    @property
    def api_id(self) -> str:
        """Parameter of Systems Manager with the id of the API."""
        return f"/{self.prefix}/api-id"

    @property
    def audit(self) -> str:
        """Daily audit of devices."""
        return f"{self.prefix}-daily"

    @property
    def check_queue(self) -> str:
        """Queue that receives the notifications of the smoke test."""
        return f"{self.prefix}-check"

    def delivery(self, output: str) -> str:
        return f"{self.prefix}-{output}"
