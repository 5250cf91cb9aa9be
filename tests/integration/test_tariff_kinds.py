"""Every kind of tariff through the job: shuffled, repeated and corrected, the stream's costs are the bill of batch.

Each is the tariff of a meter, and of a supply point whose two parts add up to the same energy, so its bill is the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flink_job.lake.database import query
from flink_job.metering.units import to_micro
from flink_job.tariffs.bill_lines import COST_COLUMNS
from tests.harness.jobs import run_files, write_records
from tests.harness.kind_plants import (
    LOWERED,
    NAMES,
    OTHER_AMOUNTS,
    arriving,
    batch,
    contract,
    contracts_of_parts,
    documents,
    parts,
    quantities,
    spot_prices,
)
from tests.harness.kinds import SETTLED

#: The tax of this one begins and ends outside the cycle.
NOT_PROVISIONAL = {"taxes with floor, validity and exemption"}
#: A correction may lower its demand.
CORRECTED = {"net billing by the hour, capped"}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    tariffs = folder / "tariffs"
    tariffs.mkdir()
    for name, content in documents(NAMES).items():
        (tariffs / name).write_bytes(content)
    measured = {name: rows for meter in NAMES for name, rows in {meter: quantities(meter), **parts(meter)}.items()}
    contracts = [document for meter in NAMES for document in (contract(meter), *contracts_of_parts(meter))]
    readings = write_records(folder / "readings.ndjson", arriving(measured))
    terms = write_records(folder / "contracts.ndjson", (json.dumps(document).encode() for document in contracts))
    run_files(readings, terms, folder / "out", tariffs)
    return folder


@pytest.fixture(scope="module")
def streamed(lake: Path) -> dict[str, tuple[Any, ...]]:
    sums = ", ".join(f"SUM({column})" for column in (*COST_COLUMNS, "cost"))
    _, rows = query(
        lake / "out", f"SELECT supply_point, {sums}, BOOL_OR(provisional), COUNT(*) FROM costs GROUP BY ALL"
    )
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("meter", NAMES)
def test_costs_of_the_stream_are_the_bill(meter: str, lake: Path, streamed: dict[str, tuple[Any, ...]]) -> None:
    kind = NAMES[meter]
    *amounts, provisional, _ = streamed[meter]
    is_settled = (kind in SETTLED and kind not in NOT_PROVISIONAL) or kind in CORRECTED
    assert provisional is is_settled
    if kind not in OTHER_AMOUNTS:
        assert [to_micro(amount) for amount in amounts] == batch(meter, spot_prices(lake / "tariffs"))


@pytest.mark.parametrize("meter", NAMES)
def test_costs_of_the_parts_of_a_supply_are_the_bill_of_their_sum(
    meter: str, lake: Path, streamed: dict[str, tuple[Any, ...]]
) -> None:
    *amounts, provisional, _ = streamed[f"{meter}-supply"]
    if NAMES[meter] in LOWERED:
        assert provisional
    elif NAMES[meter] not in OTHER_AMOUNTS:
        assert [to_micro(amount) for amount in amounts] == batch(meter, spot_prices(lake / "tariffs"))
