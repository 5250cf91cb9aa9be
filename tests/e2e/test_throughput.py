"""A guard against a halving: what a reading costs in CPU, the whole path beside the same shape in SQL alone.

CPU is steadier than a rate on a machine that is shared, and both run one after the other. On so small an input the JVM
still compiles, in both. `make bench` measures properly.
"""

from __future__ import annotations

from pathlib import Path

from tests.bench.data import prepared
from tests.bench.run import run_flink

METERS, READINGS = 2000, 80_000
#: Found: 3.3. (Warm, on the input of the bench, 1.9.)
LIMIT = 5.5


def test_a_reading_costs_no_more_than_a_few_times_that_of_sql_alone(tmp_path: Path) -> None:
    data = prepared(tmp_path, METERS, READINGS)
    whole, bound = (run_flink(name, data, tmp_path) for name in ("whole", "bound"))
    ratio = whole.cpu_us_per_reading / bound.cpu_us_per_reading
    assert ratio < LIMIT, f"{whole.cpu_us_per_reading:.0f} against {bound.cpu_us_per_reading:.0f} µs a reading"
