"""Names of a deployment's resources. What people and devices type has a name; the rest CloudFormation names."""

from __future__ import annotations

from dataclasses import dataclass

#: Keys in the bucket of registry.
TARIFFS, RULES, ROUTES, CONTRACTS = "tariffs/", "rules/rules.yaml", "rules/routes.json", "contracts/contracts.ndjson.gz"
#: The newest contract of each meter, in the form in which a job without state reads them (see
#: flink_job/io/contract_snapshot.py).
SNAPSHOT = "contracts/snapshot.ndjson.gz"
#: Rules and routes of tenants other than `default` are in folders of their names: rules/<tenant>/routes.json.
RULES_FOLDER = "rules/"


@dataclass(frozen=True)
class Names:
    """Names by `prefix`, which keeps deployments apart. `suffix` makes those of buckets unique in the world."""

    prefix: str
    suffix: str = "000000000000-us-east-1"

    @property
    def readings(self) -> str:
        return f"{self.prefix}-readings"

    @property
    def contracts(self) -> str:
        return f"{self.prefix}-contracts"

    @property
    def contract_store(self) -> str:
        """Table of the newest contract of every meter."""
        return f"{self.prefix}-contracts"

    @property
    def alert_state(self) -> str:
        """Table of the alerts and of what was sent about them."""
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
        """Parameter of Systems Manager that says which the API is."""
        return f"/{self.prefix}/api-id"

    @property
    def check_queue(self) -> str:
        """Where the check after a deployment finds its alert."""
        return f"{self.prefix}-check"

    def delivery(self, output: str) -> str:
        return f"{self.prefix}-{output}"
