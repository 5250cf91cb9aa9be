"""The rule for reads of registers: what is energy, what is an exchange or a wrong value, and how silence is spread."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_job.metering.packing import pack
from flink_job.metering.registers import RegisterRead, Step, register_steps, shares

QUARTER_MS = 900_000
MICRO = 1_000_000
SEQUENCES = [
    line for line in (Path(__file__).parent / "registers.txt").read_text().splitlines() if line and line[0] != "#"
]


def ukwh(text: str) -> int:
    return int(Decimal(text) * MICRO)


def reads_of(*values: int, size: int = 0) -> dict[int, RegisterRead]:
    return {at * QUARTER_MS: RegisterRead(pack(0, value * MICRO), size * MICRO) for at, value in enumerate(values)}


@pytest.mark.parametrize("line", SEQUENCES)
def test_the_energies_of_a_sequence(line: str) -> None:
    most, size, listed, expected = (part.split() for part in line.split(";"))
    reads = {}
    for each in listed:
        quarter, value = each.split(":")
        reads[int(quarter) * QUARTER_MS] = RegisterRead(pack(0, ukwh(value)), ukwh(size[0]) or None)
    steps = register_steps(reads, ukwh(most[0]))
    assert [step.ukwh for step in steps] == [ukwh(kwh) for kwh in expected]
    assert all(step.ukwh == 0 for step in steps if step.is_implausible)


@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=40), st.integers(0, 99_999))
def test_the_energies_of_a_register_add_up_over_roll_overs(rises: list[int], first: int) -> None:
    values = [first]
    for rise in rises:
        values.append(values[-1] + rise)
    steps = register_steps(reads_of(*(value % 100_000 for value in values), size=100_000), 8_000 * MICRO)
    assert sum(step.ukwh for step in steps) == sum(rises) * MICRO


@given(st.lists(st.integers(0, 50), min_size=3, max_size=30), st.data())
def test_one_wrong_value_changes_no_other_energy(rises: list[int], data: st.DataObject) -> None:
    """Of a register that stands at 10,000 to 11,500, one value within is replaced by one far off; 8 MW is 2,000 kWh."""
    values = [10_000 + sum(rises[:at]) for at in range(len(rises) + 1)]
    at = data.draw(st.integers(1, len(values) - 2))
    wrong = [*values[:at], data.draw(st.sampled_from([0, 5_000, 40_000, 900_000])), *values[at + 1 :]]
    total = sum(step.ukwh for step in register_steps(reads_of(*wrong), 8_000 * MICRO))
    assert total == (values[-1] - values[0]) * MICRO


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=30), st.sampled_from([0, 1_000, 100_000]))
def test_no_step_is_beyond_the_highest_power(values: list[int], size: int) -> None:
    for step in register_steps(reads_of(*values, size=size), 400 * MICRO):
        quarters = 0 if step.since_ms is None else (step.start_ms - step.since_ms) // QUARTER_MS
        assert 0 <= step.ukwh <= quarters * 100 * MICRO


def test_a_silence_is_spread_over_its_time() -> None:
    """Read at 00:15 and, after an hour and ten minutes, at 01:25 for 5 minutes: 70 kWh over 70 minutes from 00:15."""
    reads = {0: RegisterRead(0, None), 80 * 60_000: RegisterRead(70 * MICRO, None, 300)}
    (_, step) = register_steps(reads, 1_000 * MICRO)
    parts = [(share.start_ms // 60_000, share.interval_s // 60, share.ukwh // MICRO) for share in shares(step, reads)]
    assert parts == [(15, 15, 15), (30, 15, 15), (45, 15, 15), (60, 15, 15), (75, 5, 5), (80, 5, 5)]
    assert [share.is_read for share in shares(step, reads)] == [False] * 5 + [True]


def test_intervals_that_another_register_filled_are_not_divided() -> None:
    """The other register of the meter has the hour from 00:30: its 60 minutes are one part."""
    reads = {0: RegisterRead(0, None), 90 * 60_000: RegisterRead(90 * MICRO, None)}
    (_, step) = register_steps(reads, 1_000 * MICRO)
    parts = shares(step, reads, [(30 * 60_000, 90 * 60_000)])
    assert [(part.start_ms // 60_000, part.ukwh // MICRO) for part in parts] == [(15, 15), (30, 60), (90, 15)]


@given(st.integers(0, 10**9), st.integers(1, 3_000), st.integers(1, 3_600))
def test_the_shares_are_the_energy(energy: int, minutes: int, interval_s: int) -> None:
    start_ms = minutes * 60_000
    reads = {0: RegisterRead(0, None, interval_s), start_ms: RegisterRead(energy, None, interval_s)}
    found = list(shares(Step(start_ms, 0, energy), reads))
    assert sum(share.ukwh for share in found) == energy
    assert found[-1].start_ms == start_ms and found[-1].is_read
