"""Cumulative values in files: the energy of the rule of the stream, placed between the instants of the reads."""

from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.imports.registers import energy_of_reads
from flink_job.metering.registers import RegisterRead, register_steps

MIN_MS = 60_000
KWH = 1_000_000


def energy(reads: list[tuple[int, int]], interval_s: int = 900) -> tuple[list[tuple[int, int, int, bool]], list[str]]:
    """Return (begin [min], length [min], energy [kWh], estimated) of reads (instant [min], kWh), and refusals."""
    frame = pd.DataFrame(
        {
            "line": range(2, len(reads) + 2),
            "meter": pd.Categorical(["m"] * len(reads)),
            "channel": pd.Categorical(["import"] * len(reads)),
            "start_ms": [at * MIN_MS for at, _ in reads],
            "micro": [kwh * KWH for _, kwh in reads],
        }
    )
    found, refused = energy_of_reads(frame, interval_s, 10_000)
    rows = [
        (int(row.start_ms) // MIN_MS, int(row.interval_s) // 60, int(row.micro) // KWH, bool(row.estimated))
        for row in found.itertuples()
    ]
    return rows, [f"{row.line} {row.reason}" for row in refused]


def test_the_energy_between_two_reads_has_the_time_between_them() -> None:
    assert energy([(0, 10), (15, 12), (30, 15)]) == ([(0, 15, 2, False), (15, 15, 3, False)], [])


def test_reads_that_are_a_little_late_have_their_own_time() -> None:
    """Twenty minutes are less than two intervals: no silence."""
    assert energy([(0, 10), (15, 12), (35, 15)]) == ([(0, 15, 2, False), (15, 20, 3, False)], [])


def test_a_silence_is_spread_over_intervals() -> None:
    """8 kWh in an hour are 2 in each quarter; in two hours of hourly reads 4 in each hour."""
    assert energy([(0, 10), (60, 18)])[0] == [(n * 15, 15, 2, True) for n in range(4)]
    assert energy([(0, 10), (120, 18)], 3600)[0] == [(0, 60, 4, True), (60, 60, 4, True)]


def test_a_wrong_read_between_two_right_ones_has_no_energy() -> None:
    """20 and 24 fit each other; 0 is wrong. The 4 kWh around it are spread over the half hour."""
    rows, refused = energy([(0, 18), (15, 20), (30, 0), (45, 24)])
    assert rows == [(0, 15, 2, False), (15, 15, 2, True), (30, 15, 2, True)]
    assert refused == ["4 register_falls"]


def test_an_exchanged_register_begins_anew() -> None:
    """The first read of the new register, 1, has no energy; its next step has."""
    rows, refused = energy([(0, 18), (15, 20), (30, 1), (45, 4)])
    assert rows == [(0, 15, 2, False), (30, 15, 3, False)]
    assert refused == ["4 register_falls"]


def test_a_step_beyond_the_highest_power_has_no_energy() -> None:
    """10 MW are 2,500 kWh in a quarter of an hour."""
    assert energy([(0, 0), (15, 2500)]) == ([(0, 15, 2500, False)], [])
    assert energy([(0, 0), (15, 2501)]) == ([], ["3 implausible_step"])


def test_of_two_values_at_one_instant_the_higher_counts_and_the_other_is_refused() -> None:
    assert energy([(0, 10), (15, 13), (15, 12)]) == ([(0, 15, 3, False)], ["4 second_value"])


def test_negative_sums_are_compared_as_they_are() -> None:
    assert energy([(0, -5), (15, -2), (30, 1)]) == ([(0, 15, 3, False), (15, 15, 3, False)], [])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 200), st.sampled_from([0, 1, 5, 9000, -3, -900])), min_size=2, max_size=12),
    st.sampled_from([300, 900, 3600]),
)
def test_files_have_the_energy_of_the_stream(moves: list[tuple[int, int]], interval_s: int) -> None:
    """The sum is that of the steps of the rule, its implausible reads are refused, and no interval overlaps."""
    at, value, reads = 0, 10_000, []
    for minutes, change in moves:
        at, value = at + minutes, max(0, value + change)
        reads.append((at, value))
    steps = register_steps({at * MIN_MS: RegisterRead(kwh * KWH, None, interval_s) for at, kwh in reads}, 10**10)
    frame = pd.DataFrame(
        {
            "line": range(len(reads)),
            "meter": "m",
            "channel": "import",
            "start_ms": [at * MIN_MS for at, _ in reads],
            "micro": [kwh * KWH for _, kwh in reads],
        }
    )
    found, refused = energy_of_reads(frame, interval_s, 10_000)
    assert int(found["micro"].sum()) == sum(step.ukwh for step in steps)
    assert len(refused) == sum(step.is_implausible for step in steps)
    found = found.sort_values("start_ms")
    ends = (found["start_ms"] + found["interval_s"] * 1000).tolist()
    assert all(end <= start for end, start in zip(ends, found["start_ms"].tolist()[1:], strict=False))


def test_a_single_read_has_no_energy() -> None:
    assert energy([(0, 10)]) == ([], [])
