"""The stored contracts as rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyflink.table.udf import TableFunction, udtf

from flink_job.config import ContractSource
from flink_job.stored_contracts import StoredContract, stored_contracts
from udfs.columns import BIGINT, STRING


class StoredContracts(TableFunction):  # type: ignore[misc]
    """`stored_contracts(part)`: (meter_id, document, published_ms) of every stored contract."""

    def __init__(self, source: ContractSource) -> None:
        self.source = source

    def eval(self, part: int) -> Iterator[StoredContract]:
        source = self.source
        yield from stored_contracts(source.snapshot_uri, source.region, source.endpoint, source.tenant)


def stored_contracts_of(source: ContractSource) -> Any:
    return udtf(StoredContracts(source), result_types=[STRING, STRING, BIGINT])
