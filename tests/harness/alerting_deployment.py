"""A deployment of alerting at the emulated endpoint."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from deploy.kit.names import Names
from deploy.local.alerting import LocalAlerting, create_alerting, environment, invoke, received
from deploy.local.resources import create
from tests.harness.alerting import kinesis_event, run_function
from tests.harness.jobs import SAMPLES

#: Recipient without limits and grouping, so that notifications are sent at once.
UNLIMITED = {"sns": "{fifo_topic}", "tokens": 1000, "refill_s": 1, "group_s": 0}
LEASE_MS = 200
LATER = (
    "import time\nfrom deploy.alerting.runtime import context\ncontext.now_ms = lambda: int((time.time() + {}) * 1000)"
)


class AlertingDeployment:
    """One deployment. The test invokes its functions, unless `trigger` connects them to their event sources.

    They run at the endpoint; in a separate process if they are to fail or to use another endpoint.
    """

    def __init__(
        self, url: str, prefix: str, recipient: dict[str, Any], trigger: bool = False, min_severity: str = "info"
    ) -> None:
        self.url, self.names = url, Names(prefix)
        triggers = ("notifier", "sweeper") if trigger else ()
        registry = SAMPLES / "tariffs", SAMPLES / "rules.yaml"
        stacks = create(self.names, url, *registry, shards=1, triggers=triggers, lease_ms=LEASE_MS)
        routes = {
            "link": "https://alerts.example/",
            "recipients": {"crew": recipient},
            "routes": [{"site": "zaragoza/*", "to": ["crew"], "min_severity": min_severity}],
        }
        self.made: LocalAlerting = create_alerting(stacks, routes)
        self.environment = environment(url, self.made.functions["notifier"])

    def notify(self, *rows: dict[str, Any], before: str = "", **changed: str) -> int:
        """Invoke the notifier with rows; return its exit code."""
        event = kinesis_event(*rows)
        if before or changed:
            return run_function("notifier", event, {**self.environment, **changed}, before)
        invoke(self.url, self.made.functions["notifier"], event)
        return 0

    def sweep(self, later_s: int = 0, **changed: str) -> None:
        """Invoke the sweeper, with a clock that is `later_s` ahead."""
        if later_s or changed:
            run_function("sweeper", {}, {**self.environment, **changed}, LATER.format(later_s) if later_s else "")
        else:
            invoke(self.url, self.made.functions["sweeper"], {})

    def inbox(self) -> list[dict[str, Any]]:
        """Receive the messages of the inbox queue."""
        return received(self.url, self.made.inbox)


def wait_for(found: Callable[[], list[Any]], count: int) -> list[Any]:
    """Poll until `count` results have been found, at most 30 s; return all of them."""
    everything: list[Any] = []
    deadline = time.monotonic() + 30
    while len(everything) < count and time.monotonic() < deadline:
        everything += found()
        time.sleep(0.1)
    return everything
