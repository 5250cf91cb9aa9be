"""The bounded run over the sample readings: exact costs, closed accounts, KPIs that merge to a recomputation."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from deploy.local.lake import account
from flink_job.lake.database import query
from flink_job.lake.redrive import stored_records
from flink_job.lake.views import VIEWS, View
from flink_job.schemas import ACCOUNTED
from tests.harness.jobs import SAMPLES, command, run_files
from tests.harness.oracle import Oracle
from tests.harness.samples import is_malformed

COLUMNS = {
    "energy": "energy_cost",
    "demand": "demand_cost",
    "fixed": "fixed_cost",
    "export": "export_credit",
    "tax": "tax",
    "cost": "cost",
}


def test_costs_equal_the_oracle_to_the_last_digit(sample_run: Path, sample_oracle: Oracle) -> None:
    sums = ", ".join(f"SUM({column})" for column in COLUMNS.values())
    _, rows = query(
        sample_run,
        "SELECT COALESCE(supply_point, meter_id), CAST(cycle_start AS DATE), tariff_id, tariff_version, "
        f"{sums} FROM costs GROUP BY ALL",
    )
    got = {row[:4]: dict(zip(COLUMNS, row[4:], strict=True)) for row in rows}
    assert got == sample_oracle.costs()
    assert len(got) > 100
    assert len([key for key in got if str(key[0]).startswith("sp-")]) == 4


def test_every_tariff_kind_is_among_them(sample_run: Path) -> None:
    _, rows = query(
        sample_run, "SELECT tariff_id, SUM(demand_cost) > 0, COUNT(DISTINCT tou_period) FROM costs GROUP BY ALL"
    )
    assert {(str(t), bool(d), p) for t, d, p in rows} == {
        ("eur-flat", False, 1),
        ("eur-tou", False, 3),
        ("eur-demand", True, 3),
        ("inr-tiered", False, 1),
        ("inr-shared-tiers", False, 3),
        ("inr-tod-demand", True, 3),
    }


def test_each_line_of_a_row_adds_up(sample_run: Path) -> None:
    _, rows = query(
        sample_run,
        "SELECT COUNT(*) FROM costs WHERE cost <> "
        "energy_cost + demand_cost + fixed_cost + export_credit + other_cost + tax",
    )
    assert rows == [(0,)]


def test_the_account_closes_and_agrees_with_the_oracle(
    sample_run: Path, sample_oracle: Oracle, sample_records: list[bytes]
) -> None:
    found = account(sample_run)
    rows = {name: found[name] for name in ACCOUNTED}
    malformed = sum(map(is_malformed, sample_records))
    expected = {**_renamed(sample_oracle.counts), "rejected": malformed}
    assert sum(rows.values()) == len(sample_records)
    assert rows == expected


def test_sensors_are_measured_and_have_no_cost(sample_run: Path) -> None:
    _, rows = query(
        sample_run,
        "SELECT meter_id, list(DISTINCT channel ORDER BY channel) FROM current_measurements WHERE role = 'sensor' "
        "GROUP BY ALL ORDER BY ALL",
    )
    halls = [f"{site}-hall-{number}" for site in ("pun", "zar") for number in (1, 2, 3)]
    assert rows == [(hall, ["humidity", "temperature"]) for hall in halls]
    assert query(sample_run, "SELECT COUNT(*) FROM costs WHERE meter_id LIKE '%-hall-%'")[1] == [(0,)]


def test_rejected_records_keep_their_bytes(sample_run: Path, sample_records: list[bytes]) -> None:
    kept = sorted(payload for _, payload in stored_records(sample_run, "rejected"))
    assert kept == sorted(filter(is_malformed, sample_records))


def test_every_reading_has_one_cost_row(sample_run: Path) -> None:
    _, rows = query(sample_run, "SELECT COUNT(*), COUNT(DISTINCT reading_id) FROM costs_rows")
    assert rows[0][0] == rows[0][1]


@pytest.mark.parametrize("view", ["kpis_15m", "kpis_1h", "kpis_1d"])
def test_merged_kpis_lose_nothing(sample_run: Path, view: str) -> None:
    """Meters have what they measured; the other levels count each kWh once, at the mains, parts and single meters."""
    quantities = ("energy_kwh", "export_kwh", "reactive_kvarh")
    measured, once = (
        query(
            sample_run,
            f"SELECT SUM(cost), COUNT(*) FILTER (is_first), {', '.join(sums.format(name) for name in quantities)} "
            "FROM costs",
        )[1][0]
        for sums in ("SUM({})", "SUM({}) FILTER (COALESCE(role, 'main') <> 'sub')")
    )
    totals = ", ".join(f"SUM({name})" for name in ("cost", "readings", *quantities))
    _, levels = query(sample_run, f"SELECT level, {totals} FROM {view} GROUP BY level")
    found = {row[0]: row[1:] for row in levels}
    assert found == {"meter": measured} | dict.fromkeys(("line", "process", "factory"), once)
    assert float(str(once[2])) < float(str(measured[2])) / 2


def test_the_parts_of_the_stream_add_up_to_the_quarter_hours_of_the_costs(sample_run: Path) -> None:
    """In a run without a restart: two roads to the same quarter hours."""
    totals = "SUM(readings), SUM(energy_kwh), SUM(export_kwh), SUM(reactive_kvarh), SUM(cost), MAX(interval_s)"
    key = "window_start, currency, day_start, event_date"
    _, parts = query(
        sample_run,
        f"SELECT entity AS meter_id, {key}, {totals} FROM kpis WHERE level = 'meter' AND window_s = 900 "
        f"GROUP BY ALL ORDER BY meter_id, {key}",
    )
    _, quarters = query(
        sample_run, f"SELECT meter_id, {key}, {totals} FROM meter_15m GROUP BY ALL ORDER BY meter_id, {key}"
    )
    assert parts == quarters
    assert len(parts) > 50_000


def test_merged_days_equal_a_recomputation(sample_run: Path) -> None:
    """Local days and their demand from the costs alone, by another road: Python, reading by reading."""
    _, readings = query(
        sample_run,
        "SELECT split_part(site_path, '/', 1), day_start, meter_id, interval_start, energy_kwh, cost FROM costs "
        "WHERE COALESCE(role, 'main') <> 'sub'",
    )
    energy: dict[tuple[object, object], Decimal] = defaultdict(Decimal)
    quarters: dict[tuple[object, object, int], Decimal] = defaultdict(Decimal)
    for factory, day, _, start, kwh, _ in readings:
        energy[factory, day] += kwh  # type: ignore[operator]
        quarters[factory, day, int(start.timestamp()) // 900] += kwh  # type: ignore[attr-defined, operator]
    _, rows = query(
        sample_run, "SELECT entity, day_start, energy_kwh, max_kw, day_s FROM kpis_1d WHERE level = 'factory'"
    )
    assert len(rows) == 6
    assert {row[4] for row in rows if row[0] == "zaragoza"} == {82_800, 86_400}  # the clock change
    for factory, day, kwh, max_kw, _ in rows:
        assert kwh == energy[factory, day]
        peak = max(v for (f, d, _), v in quarters.items() if (f, d) == (factory, day))
        assert float(peak * 4) == pytest.approx(max_kw)


def test_hours_and_days_of_the_stream_are_the_sum_of_its_quarter_hours(sample_run: Path) -> None:
    _, rows = query(
        sample_run,
        "SELECT level, window_s, SUM(cost), SUM(energy_kwh), SUM(readings) FROM kpis GROUP BY ALL",
    )
    assert len(rows) == 12
    assert len({row[2:] for row in rows if row[0] == "meter"}) == 1
    assert len({row[2:] for row in rows if row[0] != "meter"}) == 1


def test_no_reading_of_a_bounded_run_is_late(sample_run: Path) -> None:
    """5 % are sent hours late and 1 % are corrections; their windows are still open."""
    assert query(sample_run, "SELECT DISTINCT emission FROM kpis")[1] == [("on_time",)]


@pytest.mark.parametrize("view", ["kpis_1h", "kpis_1d"])
def test_windows_of_a_bounded_run_are_those_of_the_views(sample_run: Path, view: str) -> None:
    columns = "level, entity, window_start, readings, energy_kwh, export_kwh, reactive_kvarh, cost, currency"
    _, windows = query(
        sample_run,
        f"SELECT {columns} FROM kpis WHERE window_s = {3600 if view == 'kpis_1h' else 86400} ORDER BY ALL",
    )
    assert windows == query(sample_run, f"SELECT {columns} FROM {view} ORDER BY ALL")[1]
    assert len(windows) > 500


def test_a_second_run_writes_the_same_windows_row_by_row(sample_run: Path, tmp_path: Path) -> None:
    """All columns but the time of emission; alert rules, which this run has none of, change no window."""
    again = tmp_path / "again"
    run_files(SAMPLES / "readings.ndjson.gz", SAMPLES / "contracts.ndjson", again)
    windows = "SELECT * EXCLUDE (emitted_at) FROM {} ORDER BY ALL"
    for table in ("kpis", "kpis_rows"):  # the totals that count, and all that were emitted
        (columns, first), (_, second) = (query(lake, windows.format(table)) for lake in (sample_run, again))
        assert {"kpi_id", "expected_readings", "cost", "min_kw", "max_kw", "emission"} <= set(columns)
        assert first == second
        assert len(first) > 50_000


def test_the_register_rolls_over_without_a_jump(sample_run: Path) -> None:
    _, rows = query(
        sample_run,
        "SELECT SUM(energy_kwh), MIN(energy_kwh), MAX(energy_kwh) FROM costs WHERE meter_id = 'zar-00042'",
    )
    total, least, most = (float(str(value)) for value in rows[0])
    # It starts at 99,900 of 100,000 kWh and uses more than 100. Its 20 kW are 5 kWh a quarter hour, up to 5 % more.
    # Reads arrive up to hours late: their energy is on the next read that arrives.
    assert total > 100
    assert least >= 0
    assert most < 60


def test_every_alert_begins_with_a_raise_and_ends_at_most_once(sample_run: Path) -> None:
    """A past episode that older readings change has further changes, of which the last one counts."""
    _, rows = query(
        sample_run,
        "SELECT rule_id, list(state ORDER BY change_number) FROM alerts "
        "WHERE NOT (historical AND detail = 'older readings arrived') GROUP BY alert_id, rule_id",
    )
    assert {rule for rule, _ in rows} == {*LIVE_RULES, "forging-power-low"}
    for _, states in rows:
        assert isinstance(states, list)
        assert states[0] in ("raised", "flapping")
        assert "cleared" not in states[:-1]


def test_an_alert_tells_what_its_readings_cost(sample_run: Path) -> None:
    """The cost of an alert is that of its readings: the sum of the costs between its beginning and its change."""
    _, rows = query(
        sample_run,
        "SELECT a.cost, SUM(c.cost) FROM alerts AS a JOIN costs AS c ON c.meter_id = a.entity "
        "AND c.interval_start BETWEEN a.episode_start AND a.event_time AND c.arrival <= a.arrival "
        "WHERE a.rule_id = 'casting-power-high' GROUP BY a.alert_id, a.change_number, a.cost",
    )
    assert len(rows) > 10
    assert all(told == summed for told, summed in rows)


def test_what_is_found_in_old_readings_is_a_record(sample_run: Path) -> None:
    """The sample's readings are months old: only the rules with a horizon that long make pages of them."""
    _, rows = query(sample_run, "SELECT DISTINCT rule_id FROM alerts WHERE NOT historical ORDER BY rule_id")
    assert [row[0] for row in rows] == LIVE_RULES


def test_alerts_of_a_supply_are_those_of_its_summed_readings(sample_run: Path) -> None:
    """Both supplies of Zaragoza exceed 950 kW in a quarter hour, by the sum of their mains or parts alone."""
    _, rows = query(
        sample_run,
        "SELECT entity, site_path, MAX(value) FROM alerts WHERE rule_id = 'supply-peak' AND state = 'raised' "
        "GROUP BY ALL ORDER BY ALL",
    )
    _, peaks = query(
        sample_run,
        "SELECT supply_point, MAX(kw) FROM (SELECT supply_point, interval_start, SUM(energy_kwh) * 4 AS kw FROM costs "
        "WHERE role IN ('main', 'part') GROUP BY ALL) AS quarters GROUP BY ALL",
    )
    highest = dict(peaks)
    assert [row[:2] for row in rows] == [("sp-assembly", "zaragoza"), ("sp-machining", "zaragoza")]
    assert all(950 < value <= float(str(highest[supply])) for supply, _, value in rows)  # type: ignore[operator]


def test_an_alert_on_a_kpi_arrives_with_the_last_reading_of_its_window(sample_run: Path) -> None:
    """The readings of a submeter change the line of the meter upstream, too."""
    _, rows = query(
        sample_run,
        "SELECT a.arrival, MAX(c.arrival) FROM alerts AS a JOIN costs AS c "
        "ON (starts_with(c.site_path, a.entity || '/') OR starts_with(c.upstream_path, a.entity || '/')) "
        "AND c.interval_start >= a.event_time AND c.interval_start < a.event_time + INTERVAL '1 hour' "
        "WHERE a.rule_id = 'line-spend' GROUP BY a.alert_id, a.change_number, a.arrival",
    )
    assert len(rows) > 10
    assert all(arrival == last for arrival, last in rows)


def test_redrive_shows_and_writes_the_records_as_they_were(
    sample_run: Path, sample_records: list[bytes], tmp_path: Path
) -> None:
    without_contract = [
        r for r in sample_records if not is_malformed(r) and json.loads(r)["meter_id"][4:] in _NO_CONTRACT
    ]
    shown = command("redrive", "unpriced", "--lake", sample_run, "--reason", "no_contract", "--dry-run")
    assert f"no_contract: {len(without_contract)} records" in shown
    out = tmp_path / "again.ndjson"
    command("redrive", "unpriced", "--lake", sample_run, "--out", out)
    assert out.read_bytes().splitlines() == without_contract


#: Rules whose alerts are not historical, though the readings are.
LIVE_RULES = ["casting-power-high", "hot", "line-spend", "supply-budget", "supply-peak"]
_NO_CONTRACT = ("00023", "00093", "00163")


def _renamed(counts: dict[str, int]) -> dict[str, int]:
    names = {"costs": "costed", "duplicates": "duplicates", "measurements": "measured", "unpriced": "unpriced"}
    return {table: counts[name] for table, name in names.items()}


@pytest.mark.parametrize("view", VIEWS.values(), ids=lambda v: v.name)
def test_a_row_of_a_view_is_identified_by_its_key(sample_run: Path, view: View) -> None:
    key = ", ".join(view.key)
    _, [[rows, keys]] = query(
        sample_run, f"SELECT COUNT(*), (SELECT COUNT(*) FROM (SELECT DISTINCT {key} FROM {view.name})) FROM {view.name}"
    )
    assert rows == keys
