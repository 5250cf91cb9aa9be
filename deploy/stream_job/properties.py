"""Property groups of the application, which the job reads (flink_job/config.py)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from deploy.kit.names import RULES, SNAPSHOT, TARIFFS, Names
from deploy.settings import Environment
from flink_job.config import read_settings
from flink_job.schemas import OUTPUTS

RUN_OPTIONS = "kinesis.analytics.flink.run.options"
OPTIONS = {"python": "main.py", "jarfile": "lib/flink-dependencies.jar", "pyFiles": "dep/"}
#: Group of the deployment itself, with the state and release of the package.
DEPLOYMENT = "deployment"
#: Key of the release: after an update the service may have rolled back to the previous one.
RELEASE = "release"
#: Restore types of an updated application.
RESTORE, SKIP = "RESTORE_FROM_LATEST_SNAPSHOT", "SKIP_RESTORE_FROM_SNAPSHOT"
#: Restore type of a start from a named snapshot.
CUSTOM = "RESTORE_FROM_CUSTOM_SNAPSHOT"


def property_groups(
    names: Names, environment: Environment, region: str, fingerprint: str, release: str = ""
) -> Mapping[str, Mapping[str, str]]:
    """All property groups. Raises ConfigError if the job would not start with them."""
    read = names.of(environment.source_prefix)
    # Parallelism is not a property: the service sets and changes it.
    job = {"max_parallelism": str(environment.max_parallelism), **environment.job}
    if environment.sentry_secret_arn:
        job["sentry_secret"] = environment.sentry_secret_arn
    groups = {
        RUN_OPTIONS: OPTIONS,
        "readings": {"stream": read.readings, "region": region},
        "contracts": {
            "stream": read.contracts,
            "region": region,
            "snapshot_uri": f"s3://{read.registry}/{SNAPSHOT}",
        },
        "outputs": {
            **{output: names.delivery(output) for output in OUTPUTS},
            "alerts_stream": names.alerts,
            "lake": f"s3://{names.lake}",
            "region": region,
        },
        "tariffs": {
            "uri": f"s3://{read.registry}/{TARIFFS}",
            "rules_uri": f"s3://{read.registry}/{RULES}",
            "region": region,
            # The job of the source writes them.
            **({"keep_copies": "false"} if environment.source else {}),
        },
        "job": job,
        DEPLOYMENT: {"state": fingerprint, RELEASE: release or "unknown"},
    }
    read_settings(groups)
    return groups


def release_of(package: Path, environment: Environment, fingerprint: str) -> str:
    """Id of a release: a digest of the package, of the environment's settings and of the state."""
    digest = hashlib.sha256(package.read_bytes())
    digest.update(f"{environment!r}|{fingerprint}".encode())
    return digest.hexdigest()[:16]
