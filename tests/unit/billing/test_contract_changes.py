"""A contract that changes what has been priced: the bill is marked until `settle --changed` has settled it.

Meter m used 10 kWh in February and 20 kWh in March, each priced at 0.10 by tariff `a`: 1.00 and 2.00. On 20 March a
contract says that tariff `b`, 0.30, has been in force since 1 March: March is 6.00.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flink_job.batch.collect import arrow_schema
from flink_job.lake.database import query
from flink_job.schemas import OUTPUTS
from tests.harness.jobs import RunFailedError, command

CHANGED_AT = datetime(2026, 3, 20, 12)
ZERO = Decimal(0)


def cost(meter: str, start: datetime, kwh: str, amount: str, **more: Any) -> dict[str, Any]:
    """A row of `costs`: an hour, priced ten seconds after its end by tariff a."""
    row = {column.name: ZERO for column in OUTPUTS["costs"].columns if column.glue.startswith("decimal")}
    names = {"tenant": "default", "meter_id": meter, "reading_id": f"{meter}{start}", "site_path": f"f/p/l/{meter}"}
    times = {"interval_start": start, "interval_s": 3600, "day_start": start.replace(hour=0), "day_s": 86_400}
    tariff = {"tariff_id": "a", "tariff_version": "1", "cycle_start": f"{start:%Y-%m}-01", "currency": "EUR"}
    amounts = {"energy_kwh": Decimal(kwh), "energy_cost": Decimal(amount), "cost": Decimal(amount)}
    place = {"shard": "0", "record_position": f"{meter}{start}", "revision": 0, "is_first": True, "provisional": False}
    priced = {"costed_at": start + timedelta(seconds=3610)}
    return {**row, **names, **times, **tariff, **amounts, **place, **priced, **more}


def contract(meter: str, issued_at: str, *assigned: tuple[str, str]) -> str:
    assignments = [{"tariff_id": tariff, "valid_from": day} for tariff, day in assigned]
    place = {"meter_id": meter, "site_path": f"f/p/l/{meter}", "timezone": "UTC"}
    return json.dumps({**place, "issued_at": issued_at, "assignments": assignments})


OLD, NEW = "2026-01-01T00:00:00Z", "2026-03-20T11:59:00Z"


class Lake:
    """A lake of two meters, of which the contract of m was changed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "out"
        february, march = datetime(2026, 2, 10, 8), datetime(2026, 3, 10, 8)
        rows = [cost(meter, *month) for meter in "mn" for month in ((february, "10", "1"), (march, "20", "2"))]
        # The month has been measured to its end.
        rows += [cost(meter, datetime(2026, 3, 31, 23), "0", "0", tariff_id="b") for meter in "m"]
        change = {"tenant": "default", "meter_id": "m", "site_path": "f/p/l/m", "fields": "tariff_id"}
        span = {"changed_from": datetime(2026, 3, 1), "changed_until": datetime(9999, 12, 31)}
        times = {"issued_at": datetime(2026, 3, 20, 11, 59), "changed_at": CHANGED_AT}
        self.write("costs", rows)
        self.write("contract_changes", [{**change, **span, **times}])
        (folder / "tariffs").mkdir()
        for name, price in (("a", "0.10"), ("b", "0.30")):
            head = {"tariff_id": name, "version": "1", "currency": "EUR", "valid_from": "2026-01-01"}
            document = {**head, "energy": {"periods": {"all": [{"price": price}]}}}
            (folder / "tariffs" / f"{name}.json").write_text(json.dumps(document))

    def write(self, table: str, rows: list[dict[str, Any]]) -> None:
        (self.out / table).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(OUTPUTS[table])), self.out / table / "1.parquet")

    def settle(self, *options: str, issued_at: str = NEW) -> str:
        contracts = [
            contract("m", issued_at, ("a", "2026-01-01"), ("b", "2026-03-01")),
            contract("n", OLD, ("a", "2026-01-01")),
        ]
        (self.folder / "contracts.ndjson").write_text("\n".join(contracts))
        given = ["--contracts", self.folder / "contracts.ndjson", "--tariffs", self.folder / "tariffs"]
        return command("settle", self.out, *given, *options)

    def bills(self) -> dict[tuple[str, str], tuple[str, str]]:
        """(cost, status) by meter and month; a month that two tariffs priced has the sum."""
        sql = (
            "SELECT meter_id, substr(cycle_start, 6, 2), SUM(cost), string_agg(DISTINCT status, ' ') FROM bills "
            "GROUP BY ALL HAVING SUM(cost) <> 0"
        )
        return {(str(m), str(month)): (f"{amount:.2f}", str(s)) for m, month, amount, s in query(self.out, sql)[1]}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


#: Bills of the meter whose contract was not changed; its last cycle may have further readings.
OTHERS = {("n", "02"): ("1.00", "provisional"), ("n", "03"): ("2.00", "open")}


def test_the_bill_of_the_changed_time_is_marked_until_it_is_settled(lake: Lake) -> None:
    assert lake.bills()["m", "03"][0] == "2.00"
    assert "contract changed" in lake.bills()["m", "03"][1]
    assert lake.bills().items() >= {**OTHERS, ("m", "02"): ("1.00", "provisional")}.items()
    assert "adjusted by 4.000000 EUR" in lake.settle("--changed")
    assert lake.bills() == {**OTHERS, ("m", "02"): ("1.00", "settled"), ("m", "03"): ("6.00", "settled")}
    assert query(lake.out, "SELECT COUNT(*) FROM unsettled_changes")[1] == [(0,)]
    # Only the supply that the change concerns was settled.
    assert query(lake.out, "SELECT DISTINCT supply_point FROM settlements")[1] == [("m",)]


def test_the_contract_from_before_settles_nothing(lake: Lake) -> None:
    for options in ((), ("--changed",)):
        with pytest.raises(RunFailedError, match="export the contracts again"):
            lake.settle(*options, issued_at=OLD)
    assert "contract changed" in lake.bills()["m", "03"][1]


def test_a_settlement_by_an_older_contract_leaves_the_mark(lake: Lake) -> None:
    """As if the change had come to the lake after the settlement, which began after the change."""
    (lake.out / "contract_changes" / "1.parquet").rename(lake.folder / "later.parquet")
    lake.settle(issued_at=OLD)
    (lake.folder / "later.parquet").rename(lake.out / "contract_changes" / "1.parquet")
    assert "contract changed" in lake.bills()["m", "03"][1]


def test_a_change_that_alters_no_bill_is_settled_once(lake: Lake) -> None:
    """The settlement from before the change has the same bill."""
    (lake.out / "contract_changes" / "1.parquet").rename(lake.folder / "later.parquet")
    lake.settle()
    pq.write_table(
        pq.read_table(lake.folder / "later.parquet").set_column(
            7,
            arrow_schema(OUTPUTS["contract_changes"]).field("changed_at"),
            pa.array([datetime.now(UTC).replace(tzinfo=None)], pa.timestamp("ms")),
        ),
        lake.out / "contract_changes" / "1.parquet",
    )
    assert "contract changed" in lake.bills()["m", "03"][1]
    lake.settle("--changed")
    assert lake.bills()["m", "03"] == ("6.00", "settled")


def test_nothing_that_was_settled_before_is_lost(lake: Lake) -> None:
    lake.settle()
    assert lake.bills()["m", "03"] == ("6.00", "settled")
    before = query(lake.out, "SELECT * FROM adjustments ORDER BY ALL")[1]
    assert before
    lake.settle("--changed")  # nothing is left to settle
    assert query(lake.out, "SELECT * FROM adjustments ORDER BY ALL")[1] == before


def test_readings_that_came_after_the_change_need_no_mark(lake: Lake) -> None:
    late = cost("o", datetime(2026, 3, 10, 8), "20", "6", tariff_id="b", costed_at=datetime(2026, 3, 21))
    (lake.out / "costs" / "2").mkdir()
    pq.write_table(pa.Table.from_pylist([late], schema=arrow_schema(OUTPUTS["costs"])), lake.out / "costs/2/1.parquet")
    assert lake.bills()["o", "03"] == ("6.00", "open")


def test_the_time_of_settlement_is_utc(lake: Lake) -> None:
    lake.settle()
    [(settled_at,)] = query(lake.out, "SELECT MAX(settled_at) FROM settlements")[1]
    assert abs(datetime.now(UTC).replace(tzinfo=None) - settled_at) < timedelta(minutes=5)  # type: ignore[operator]
