"""`settle --news`: what it takes, what it leaves, and what it reads.

Meters a and b used 10 kWh in each of January to March, at 0.10: 1.00 a month. Settled bills are those of the stream
unless something comes later.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flink_job.batch.collect import arrow_schema
from flink_job.batch.contracts import records_in_force
from flink_job.billing import news_run
from flink_job.billing.agreements import Book
from flink_job.billing.news_run import NewsRun, UnsettledError
from flink_job.billing.settlement_metrics import metric_lines
from flink_job.lake.database import query
from flink_job.lake.selection import Selection
from flink_job.schemas import OUTPUTS
from flink_job.tariffs.registry import open_registry
from tests.unit.billing.test_contract_changes import cost

MONTHS = [datetime(2026, month, 10, 8) for month in (1, 2, 3)]
START = datetime(2026, 4, 2, 3, tzinfo=UTC)


def assigned(tariff: str = "t") -> dict[str, Any]:
    return {"assignments": [{"tariff_id": tariff, "valid_from": "2026-01-01"}]}


class Lake:
    """A lake with partitions; each run is a day after the one before, and files are written at a stated time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out, self.now = folder, folder / "out", START
        self.contracts = [self.contract("a"), self.contract("b")]
        self.read: list[Selection] = []
        (folder / "tariffs").mkdir()
        self.tariff("1", "2026-01-01", "0.10")
        for meter in "ab":
            for start in MONTHS:
                self.add(cost(meter, start, "10", "1.00", tariff_id="t"))
        # Every month has been measured to its end.
        self.add(cost("b", datetime(2026, 4, 1, 8), "0", "0", tariff_id="t"))

    def contract(self, meter: str, **fields: Any) -> dict[str, Any]:
        return {"meter_id": meter, "site_path": f"f/p/l/{meter}", "timezone": "UTC", **assigned(), **fields}

    def tariff(self, version: str, since: str, price: str, **more: Any) -> None:
        head = {"tariff_id": "t", "version": version, "currency": "EUR", "valid_from": since}
        document = {**head, "energy": {"periods": {"all": [{"price": price}]}}, **more}
        (self.folder / "tariffs" / f"{version}.json").write_text(json.dumps(document))

    def add(self, row: dict[str, Any], table: str = "costs") -> None:
        """Write a row to a file of its own in the partition of its day, now."""
        day = row["changed_at" if table == "contract_changes" else "interval_start"]
        partition = self.out / table / f"event_date={day:%Y-%m-%d}"
        partition.mkdir(parents=True, exist_ok=True)
        path = partition / f"{len(list(self.out.glob('**/*.parquet')))}.parquet"
        pq.write_table(pa.Table.from_pylist([row], schema=arrow_schema(OUTPUTS[table])), path)
        os.utime(path, (self.now.timestamp() - 7200,) * 2)

    def run(self, **options: Any) -> set[tuple[str, str]]:
        """Settle news; returns the (supply, first day of the cycle) that were settled."""
        (self.folder / "contracts.ndjson").write_text("\n".join(map(json.dumps, self.contracts)))
        known = records_in_force([str(self.folder / "contracts.ndjson")], print)
        book = Book(known.contracts, open_registry(str(self.folder / "tariffs")), {}, known.terms)
        self.last = NewsRun(str(self.out), book, self.now, timedelta(days=5), **options)
        self.now += timedelta(days=1)
        self.last.run()
        return {(a.supply_point, a.key[0][:7]) for a in self.last.adjustments}

    def bills(self) -> dict[tuple[str, str], Decimal]:
        sql = "SELECT supply_point, substr(cycle_start, 1, 7), SUM(cost) FROM bills GROUP BY ALL"
        return {(row[0], row[1]): row[2] for row in query(self.out, sql)[1]}  # type: ignore[misc]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    found = Lake(tmp_path)
    downloaded = news_run.downloaded

    def noted(uri: str, selection: Selection) -> Any:
        found.read.append(selection)
        return downloaded(uri, selection)

    monkeypatch.setattr(news_run, "downloaded", noted)
    return found


EVERY = {(meter, month) for meter in "ab" for month in ("2026-01", "2026-02", "2026-03")} | {("b", "2026-04")}


def test_the_first_run_settles_all_and_the_next_one_nothing(lake: Lake) -> None:
    assert lake.run() == EVERY
    before = query(lake.out, "SELECT * FROM settlements ORDER BY ALL")[1]
    assert len(before) == len(EVERY)
    assert lake.run() == set()
    assert len(lake.read) == 1
    assert query(lake.out, "SELECT * FROM settlements ORDER BY ALL")[1] == before


def test_a_late_reading_settles_its_cycle_alone_and_reads_its_month_alone(lake: Lake) -> None:
    lake.run()
    lake.add(cost("a", datetime(2026, 2, 11, 8), "20", "9.99", tariff_id="t"))
    assert lake.run() == {("a", "2026-02")}
    # 10 + 20 kWh at 0.10; the stream had priced the late one at 9.99.
    assert lake.bills()["a", "2026-02"] == Decimal("3.00")
    assert (str(lake.read[-1].first), str(lake.read[-1].last)) == ("2026-01-31", "2026-03-01")
    # Another late reading in January: February keeps its adjustment.
    lake.add(cost("b", datetime(2026, 1, 11, 8), "1", "5.00", tariff_id="t"))
    assert lake.run() == {("b", "2026-01")}
    assert lake.bills()["a", "2026-02"] == Decimal("3.00")
    assert lake.bills()["b", "2026-01"] == Decimal("1.10")


def test_months_that_are_apart_are_read_apart(lake: Lake) -> None:
    lake.run()
    lake.add(cost("a", datetime(2026, 1, 11, 8), "1", "0.10", tariff_id="t"))
    lake.add(cost("b", datetime(2026, 3, 11, 8), "1", "0.10", tariff_id="t"))
    assert lake.run() == {("a", "2026-01"), ("b", "2026-03")}
    assert [(str(one.first), str(one.last)) for one in lake.read[1:]] == [
        ("None", "2026-02-01"),
        ("2026-02-28", "2026-04-01"),
    ]


def test_a_file_that_appears_during_a_run_is_news_of_the_next(lake: Lake) -> None:
    """S3 dates an object by the beginning of its upload, which may be before the run that did not list it."""
    lake.run()
    lake.now -= timedelta(days=1)
    lake.now += timedelta(minutes=100)  # written 20 minutes before the run began
    lake.add(cost("a", datetime(2026, 2, 11, 8), "20", "2.00", tariff_id="t"))
    assert lake.run() == {("a", "2026-02")}


def test_a_late_reading_of_a_submeter_settles_the_shares(lake: Lake) -> None:
    """The bill is that of the main, 1.00; the submeter had 4 of its 10 kWh, then 5."""
    lake.contracts = [lake.contract("a", supply_point="sp", role="main"), lake.contract("b"), {
        **lake.contract("s", supply_point="sp", role="sub"), "assignments": []}]  # fmt: skip
    sub = {"tariff_id": "t", "supply_point": "sp", "role": "sub"}
    lake.add(cost("s", MONTHS[1], "4", "0", **sub))
    lake.run()
    sql = "SELECT SUM(cost) FROM shares WHERE meter_id = 's' AND cycle_start = '2026-02-01'"
    assert query(lake.out, sql)[1] == [(Decimal("0.40"),)]
    lake.add(cost("s", MONTHS[1], "1", "0", **sub, revision=1, reading_id="s2", record_position="s2"))
    assert lake.run() == {("sp", "2026-02")}
    assert query(lake.out, sql)[1] == [(Decimal("0.50"),)]


def test_a_changed_contract_settles_the_changed_time(lake: Lake) -> None:
    lake.run()
    times = {"changed_from": datetime(2026, 2, 1), "changed_until": datetime(2026, 3, 1)}
    lake.contracts[0]["multiplier"] = 1
    row = {"tenant": "default", "meter_id": "a", "site_path": "f/p/l/a", "fields": "tariff_id", **times}
    lake.add({**row, "issued_at": datetime(2026, 4, 2), "changed_at": datetime(2026, 4, 2)}, "contract_changes")
    assert lake.run() == {("a", "2026-02")}


def test_a_new_version_of_a_tariff_settles_the_time_from_its_start_on(lake: Lake) -> None:
    lake.run()
    lake.tariff("2", "2026-03-01", "0.30")
    assert {key for key in lake.run() if key[1] < "2026-04"} == {("a", "2026-03"), ("b", "2026-03")}
    assert lake.bills()["a", "2026-03"] == Decimal("3.00")
    assert lake.bills()["a", "2026-02"] == Decimal("1.00")
    # An edited document is as good as a new one.
    lake.tariff("1", "2026-01-01", "0.20")
    lake.run()
    assert lake.bills()["a", "2026-02"] == Decimal("2.00")


def test_new_prices_settle_their_month(lake: Lake) -> None:
    lake.tariff("1", "2026-01-01", "0.10", energy={"dynamic": {"series": "spot"}})
    prices = lake.folder / "tariffs" / "spot.csv"
    days = [datetime(2026, 1, 1) + timedelta(days=n) for n in range(120)]
    rows = [f"{day:%Y-%m-%dT%H:%M:%SZ},{{{'x' if day.month == 2 else 'y'}}}" for day in days]

    def write(february: str) -> None:
        prices.write_text("\n".join(["from,price", *rows]).format(x=february, y="0.1"))

    write("0.1")
    lake.run()
    write("0.5")
    assert {("a", "2026-02"), ("b", "2026-02")} <= lake.run()
    assert lake.bills()["a", "2026-02"] == Decimal("5.00")


def test_a_cycle_that_was_open_is_settled_finally_after_the_allowance(lake: Lake) -> None:
    """April was open on 2 April. It ends on 1 May, and is settled again from 6 May on."""
    lake.run()
    lake.add(cost("a", datetime(2026, 5, 1, 8), "1", "0.10", tariff_id="t"))
    lake.now = datetime(2026, 5, 5, 3, tzinfo=UTC)
    assert lake.run() == {("a", "2026-05")}
    assert lake.run() == {("b", "2026-04")}
    assert lake.run() == set()


def test_what_cannot_be_settled_is_left_for_the_next_run(lake: Lake) -> None:
    lake.run()
    lake.contracts[0] = lake.contract("a", **assigned("unknown"))
    lake.add(cost("a", datetime(2026, 2, 11, 8), "20", "2.00", tariff_id="t"))
    lake.add(cost("b", datetime(2026, 2, 11, 8), "20", "2.00", tariff_id="t"))
    with pytest.raises(UnsettledError, match="1 meters or supplies"):
        lake.run()
    assert lake.run(allow_partial=True) == {("b", "2026-02")}
    assert lake.last.oldest_left(datetime(2026, 2, 20).date()) == 19  # since 1 February
    assert lake.run(allow_partial=True) == set()
    lake.contracts[0] = lake.contract("a")
    assert lake.run() == {("a", "2026-02")}
    assert lake.last.left == {}


def test_a_tariff_that_depends_on_other_cycles_is_settled_to_the_end(lake: Lake) -> None:
    """A ratchet: the peak of January is billed in the months after it."""
    ratchet = {"share": "1", "months_back": 11}
    demand = {"window_s": 3600, "flat": [{"price": "1"}], "ratchet": ratchet}
    lake.tariff("1", "2026-01-01", "0.10", demand=demand)
    lake.run()
    lake.add(cost("a", datetime(2026, 2, 11, 8), "30", "3.00", tariff_id="t"))
    assert lake.run() == {("a", "2026-02"), ("a", "2026-03")}
    assert (lake.read[-1].first, lake.read[-1].last) == (None, None)
    # March: 10 kWh at 0.10 and the 30 kW of February.
    assert lake.bills()["a", "2026-03"] == Decimal("31.00")


def test_a_dry_run_records_nothing(lake: Lake) -> None:
    assert lake.run(dry_run=True) == EVERY
    assert not (lake.out / "settlements").exists()
    assert lake.run() == EVERY


def test_metrics_of_a_run(lake: Lake) -> None:
    lake.run()
    lake.add(cost("a", datetime(2026, 2, 11, 8), "20", "9.99", tariff_id="t"))
    lake.run()
    found = [json.loads(line) for line in metric_lines(lake.last, "d", lake.last.began + timedelta(seconds=90))]
    assert found[0] | {"_aws": None} == {
        "_aws": None, "Deployment": "d", "SettledCycles": 1, "UnsettledSupplies": 0, "OldestUnsettledDays": 0,
        "SettlementSeconds": 90.0,
    }  # fmt: skip
    assert found[1]["SettledAdjustments"] == 7.99  # 9.99 - 2.00
    assert found[1]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Deployment", "Currency"]]
