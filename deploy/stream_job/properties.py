"""The application's property groups, as the job reads them (flink_job/config.py)."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.names import CONTRACTS, RULES, TARIFFS, Names
from deploy.settings import Environment
from flink_job.config import read_settings
from flink_job.schemas import OUTPUTS

RUN_OPTIONS = "kinesis.analytics.flink.run.options"
OPTIONS = {"python": "main.py", "jarfile": "lib/flink-dependencies.jar", "pyFiles": "dep/"}
#: A group of the deployment's own: says which state the application's package keeps.
DEPLOYMENT = "deployment"
#: What an updated application starts from.
RESTORE, SKIP = "RESTORE_FROM_LATEST_SNAPSHOT", "SKIP_RESTORE_FROM_SNAPSHOT"


def property_groups(
    names: Names, environment: Environment, region: str, fingerprint: str
) -> Mapping[str, Mapping[str, str]]:
    """Every group. Raises ConfigError when the job would not start with them."""
    # Parallelism is the service's to set, and to change.
    job = {"max_parallelism": str(environment.max_parallelism), **environment.job}
    if environment.sentry_secret_arn:
        job["sentry_secret"] = environment.sentry_secret_arn
    groups = {
        RUN_OPTIONS: OPTIONS,
        "readings": {"stream": names.readings, "region": region},
        "contracts": {
            "stream": names.contracts,
            "region": region,
            "snapshot_uri": f"s3://{names.books}/{CONTRACTS}",
        },
        "outputs": {
            **{output: names.delivery(output) for output in OUTPUTS},
            "alerts_stream": names.alerts,
            "lake": f"s3://{names.lake}",
            "region": region,
        },
        "tariffs": {
            "uri": f"s3://{names.books}/{TARIFFS}",
            "rules_uri": f"s3://{names.books}/{RULES}",
            "region": region,
        },
        "job": job,
        DEPLOYMENT: {"state": fingerprint},
    }
    read_settings(groups)
    return groups
