"""The page of limits says what the code does."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from flink_job.metering import bounds

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "limits.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| [^|]+ \| (\d+) \| [^|]+ \| `([\w.]+)\.(\w+)` \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("value", "module", "name"), ROWS, ids=[name for _, _, name in ROWS])
def test_a_limit_is_that_of_the_code(value: str, module: str, name: str) -> None:
    assert int(value) == getattr(import_module(module), name)


def test_every_bound_is_on_the_page() -> None:
    numbers = {name for name, value in vars(bounds).items() if name.startswith("MAX_") and isinstance(value, int)}
    assert numbers <= {name for _, _, name in ROWS}
    assert f"before {bounds.EARLIEST_DAY}" in PAGE
    assert f"years {bounds.CONTRACT_YEARS.start} to {bounds.CONTRACT_YEARS.stop - 1}" in PAGE
