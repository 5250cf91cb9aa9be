"""A deployment at the local endpoint, with rows in its lake and people who ask."""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

from deploy.kit.athena import RUNNING, AthenaClient
from deploy.kit.names import Names
from deploy.lake.catalog import DELIVERED
from deploy.local.people import LocalApi, api_of, call, token_of
from deploy.local.resources import create
from deploy.local.stacks import Stacks
from flink_job.dataflow.wire import wire_names
from flink_job.io.kinesis import client
from tests.harness.jobs import SAMPLES

NAMES = Names("deployed")
SITES = {"ana": "zaragoza", "ravi": "pune", "both": "pune,zaragoza", "chief": "*", "guest": ""}
#: Readings of each site on each of two days; one page of the API has 500 rows.
READINGS = 600
DAYS = ("2026-03-28", "2026-03-29")


def cost_row(site: str, day: str, number: int) -> dict[str, Any]:
    start = f"{day} {number // 60:02d}:{number % 60:02d}:00"
    meter = f"{site}-m{number % 3}"
    money = dict.fromkeys(("demand_cost", "fixed_cost", "export_credit", "other_cost", "tax"), 0)
    return {
        "reading_id": f"{meter}-{start}",
        "meter_id": meter,
        "interval_start": start,
        "interval_s": 60,
        "revision": 0,
        "site_path": f"{site}/casting/line-1/{meter}",
        "energy_kwh": 0.1,
        "cycle_start": "2026-03-01",
        "tariff_id": "t",
        "tariff_version": "1",
        "energy_cost": 0.0123,
        **money,
        "cost": 0.0123,
        "currency": "EUR",
        "is_first": True,
        "day_start": f"{day} 00:00:00",
        "day_s": 86400,
        "arrival": start,
    }


def kpi_row(site: str, day: str, quarter: int) -> dict[str, Any]:
    start = f"{day} 10:{quarter * 15:02d}:00"
    return {
        "kpi_id": f"{site}-{start}",
        "level": "meter",
        "entity": f"{site}-m0",
        "site_path": f"{site}/casting/line-1/{site}-m0",
        "window_start": start,
        "window_s": 900,
        "emission": "on_time",
        "readings": 1,
        "expected_readings": 1,
        "interval_s": 900,
        "energy_kwh": 2.5,
        "export_kwh": 0,
        "reactive_kvarh": 0,
        "cost": 0.5,
        "currency": "EUR",
        "day_start": f"{day} 00:00:00",
        "day_s": 86400,
    }


def on_the_wire(output: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row as the job sends it to Firehose."""
    names = wire_names(DELIVERED[output])
    return {names[column]: value for column, value in row.items()}


class Deployment:
    """A deployment with rows in its lake and people."""

    def __init__(self, url: str) -> None:
        self.url = url
        triggers = ("last_values", "uploads")
        self.stacks: Stacks = create(NAMES, url, SAMPLES / "tariffs", SAMPLES / "rules.yaml", 1, triggers)
        self.stacks.create("monitoring")
        self.api: LocalApi = api_of(self.stacks)
        self.tokens = {who: token_of(self.api, url, f"{who}@plant.example", sites) for who, sites in SITES.items()}
        self.athena = AthenaClient(client("athena", url), NAMES.prefix, NAMES.database)
        self._deliver()

    def _deliver(self) -> None:
        sites = ("zaragoza", "pune")
        costs = [cost_row(site, day, n) for site in sites for day in DAYS for n in range(READINGS)]
        self.put("costs", [*costs, *costs[:5]])
        self.put("kpis", [kpi_row(site, day, n) for site in sites for day in DAYS for n in range(4)])
        wait_for(lambda: self.ask("SELECT COUNT(*) FROM costs")[0][0] == str(4 * READINGS))
        wait_for(lambda: self.ask("SELECT COUNT(*) FROM kpis")[0][0] == "16")

    def put(self, output: str, rows: list[dict[str, Any]]) -> None:
        records = [{"Data": json.dumps(on_the_wire(output, row)).encode()} for row in rows]
        for start in range(0, len(records), 500):
            answer = client("firehose", self.url).put_record_batch(
                DeliveryStreamName=NAMES.delivery(output), Records=records[start : start + 500]
            )
            assert answer["FailedPutCount"] == 0

    def keys(self, prefix: str) -> list[str]:
        found = client("s3", self.url).list_objects_v2(Bucket=NAMES.lake, Prefix=prefix)
        return [item["Key"] for item in found.get("Contents", ())]

    def ask(self, sql: str) -> list[list[str | None]]:
        execution = self.athena.start(sql, [], f"{time.monotonic_ns():032d}")
        while (status := self.athena.status(execution))["status"].upper() in RUNNING:
            time.sleep(0.05)
        assert status["status"] == "succeeded", (sql, status)
        return self.athena.page(execution, None)[1]

    def call(self, who: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any]:
        """(status, answer) of a request of somebody; of nobody where `who` is empty."""
        return call(self.api, self.tokens[who] if who else "", path, body, key)

    def query(self, who: str, question: str, **parameters: str) -> tuple[int, Any]:
        """(status, id) of a query, or what was wrong with it."""
        status, answer = self.call(who, "/queries", {"question": question, "parameters": parameters})
        return (status, answer["query_id"]) if status == 202 else (status, answer)

    def rows(self, who: str, query_id: str) -> list[dict[str, Any]]:
        """All rows of a query, page by page."""
        wait_for(lambda: self.call(who, f"/queries/{query_id}")[1]["status"] not in ("queued", "running"))
        found: list[dict[str, Any]] = []
        following = ""
        while True:
            status, page = self.call(who, f"/queries/{query_id}{following}")
            assert (status, page["status"]) == (200, "succeeded"), page
            found += [dict(zip(page["columns"], row, strict=True)) for row in page["rows"]]
            if not page["next"]:
                return found
            following = "?next=" + urllib.parse.quote(page["next"])


def wait_for(condition: Callable[[], bool], limit_s: float = 60) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)
