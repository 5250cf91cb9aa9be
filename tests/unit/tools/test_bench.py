"""The bench compares like with like: its pricing in plain Python, and its batch, come to the oracle's bills."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.bench.compare import PROGRAMS
from tests.bench.data import TARIFF, TIMEZONE, Input, prepared
from tests.bench.peers.duckdb_batch import run
from tests.bench.plain import Bill, Pricer
from tests.bench.progress import DONE, PERIOD_S, WARM, Progress, Sample
from tests.harness.deployment import wait_for
from tests.harness.oracle import Oracle

METERS, READINGS = 5, 2500
CHARGES = ("energy", "demand", "fixed", "tax")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Input:
    """Five meters, some five days; late and repeated ones among them."""
    return prepared(tmp_path_factory.mktemp("bench"), METERS, READINGS)


@pytest.fixture(scope="module")
def bills(data: Input) -> dict[str, dict[str, Decimal]]:
    """The oracle's bill of each meter."""
    contracts = [
        json.dumps({**json.loads(line), "billing_day": 1}).encode()
        for line in data.contracts_file.open(encoding="utf-8")
    ]
    oracle = Oracle(contracts, [TARIFF])
    for line in data.readings_file.open(encoding="utf-8"):
        oracle.add(json.loads(line))
    return {key[0]: amounts for key, amounts in oracle.costs().items()}


def test_the_input_is_what_it_says(data: Input) -> None:
    lines = data.readings_file.read_text().splitlines()
    starts = [json.loads(line)["interval_start"] for line in lines]
    late = sum(start < max(starts[:position], default="") for position, start in enumerate(starts))
    assert len(lines) == READINGS
    assert 0.004 < late / READINGS < 0.02
    assert 0.004 < (len(lines) - len(set(lines))) / READINGS < 0.02


def test_plain_pricing_comes_to_the_oracles_bills(data: Input, bills: dict[str, dict[str, Decimal]]) -> None:
    pricer = Pricer(TARIFF, TIMEZONE)
    seen: dict[tuple[str, int], int] = {}
    states: dict[str, Bill] = {}
    sums: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(CHARGES, 0))
    for line in data.readings_file.open(encoding="utf-8"):
        record: dict[str, Any] = json.loads(line)
        at, meter = pricer.place(record), record["meter_id"]
        before = seen.get((meter, at.start_s))
        if before is not None and at.quantity_ukwh <= before:
            continue
        seen[meter, at.start_s] = at.quantity_ukwh
        for charge, amount in pricer.price(states.setdefault(meter, pricer.new_bill(at.month)), at, before).items():
            sums[meter][charge] += amount
    expected = {m: {charge: int(amounts[charge] * 1_000_000) for charge in CHARGES} for m, amounts in bills.items()}
    assert sums == expected
    assert len(sums) == METERS


def test_the_batch_comes_to_the_oracles_sums(data: Input, bills: dict[str, dict[str, Decimal]]) -> None:
    """In floating point: it is there for its speed."""
    rows = (
        run(data.folder).execute("SELECT meter_id, SUM(energy_cost), SUM(demand_cost) FROM costs GROUP BY 1").fetchall()
    )
    assert len(rows) == METERS
    for meter, energy, demand in rows:
        assert float(energy) == pytest.approx(float(bills[meter]["energy"]), abs=1e-4)
        assert float(demand) == pytest.approx(float(bills[meter]["demand"]), abs=1e-4)


def test_a_rate_leaves_out_start_and_end(tmp_path: Path) -> None:
    """100 bytes: nothing for 10 s, then ten bytes a second at a CPU second each; the last bytes take for ever."""
    file = tmp_path / "input"
    file.write_bytes(b"x" * 100)
    progress = Progress(file, 0)
    progress.started, progress.ended = 0.0, 500.0
    progress.samples = [Sample(10.0 + s, 10 * s, float(s)) for s in range(1, 10)] + [Sample(499.0, 100, 400.0)]
    assert (WARM, DONE) == (0.25, 0.98)
    assert progress.rates() == pytest.approx((0.1, 10.0))
    assert progress.first_read_s == 11.0


def test_a_program_that_still_reads_its_contracts_is_not_warm(tmp_path: Path) -> None:
    """Until a half it reads contracts as well, at half the pace."""
    file = tmp_path / "input"
    file.write_bytes(b"x" * 100)
    progress = Progress(file, 0)
    progress.started, progress.ended = 0.0, 500.0
    slow = [Sample(10.0 + 2 * s, 10 * s, 2.0 * s, is_filling=True) for s in range(1, 5)]
    progress.samples = [*slow, *(Sample(14.0 + s, 10 * s, 4.0 + s) for s in range(5, 10))]
    assert progress.rates() == pytest.approx((0.1, 10.0))


def test_a_file_is_known_by_any_of_its_links_and_over_a_while_after_it_was_closed(tmp_path: Path) -> None:
    """However far it was seen to be read: of a small file the last look can be at a half."""
    file, link = tmp_path / "input", tmp_path / "later"
    file.write_bytes(b"x" * 100_000)
    os.link(file, link)
    # Without a buffer, or the position would be further than what has been read.
    reads = (
        f"f = open({str(link)!r}, 'rb', 0); f.read(50_000); import sys; sys.stdin.read(1); f.close(); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", reads], stdin=subprocess.PIPE)
    assert process.stdin
    rest_s = 5 * PERIOD_S
    try:
        with Progress(file, process.pid) as progress:
            assert not progress.is_over(0)
            wait_for(lambda: bool(progress.samples), limit_s=20)
            assert (progress.samples[-1].position, progress.is_over(rest_s)) == (50_000, False)
            process.stdin.write(b" ")
            process.stdin.flush()
            wait_for(lambda: progress.is_over(rest_s), limit_s=20)
            assert not progress.is_over(3600)
    finally:
        process.kill()
        process.communicate()


def test_programs_have_names_of_their_own_and_say_what_they_are() -> None:
    assert len({program.doc for program in PROGRAMS.values()}) == len(PROGRAMS)
