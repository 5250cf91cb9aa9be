"""The naive program: a Python KeyedBroadcastProcessFunction called for each reading, its state in Flink."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedBroadcastProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import MapStateDescriptor
from pyflink.table import StatementSet, StreamTableEnvironment

from flink_job.dataflow.ddl import create_table
from tests.bench.data import TIMEZONE, Input
from tests.bench.plain import Pricer

TARIFFS = MapStateDescriptor("tariffs", Types.STRING(), Types.STRING())
CHARGES = ("energy", "demand", "fixed", "tax")
COSTED = Types.ROW_NAMED(["meter_id", "start_s", *CHARGES], [Types.STRING(), *[Types.LONG()] * 5])


class Price(KeyedBroadcastProcessFunction):  # type: ignore[misc]
    """Prices each reading of a meter with the broadcast tariffs; until they arrive with `documents`."""

    def __init__(self, documents: list[str]) -> None:
        self.first = documents

    def open(self, runtime_context: RuntimeContext) -> None:
        self.seen = runtime_context.get_map_state(MapStateDescriptor("seen", Types.LONG(), Types.LONG()))
        self.bills = runtime_context.get_map_state(
            MapStateDescriptor("bills", Types.STRING(), Types.PICKLED_BYTE_ARRAY())
        )
        self.pricers: dict[str, Pricer] = {}

    def process_broadcast_element(self, value: str, ctx: Any) -> None:
        ctx.get_broadcast_state(TARIFFS).put(json.loads(value)["tariff_id"], value)

    def process_element(self, value: Row, ctx: Any) -> Iterator[Row]:
        record = json.loads(value[0])
        pricer = self._pricer(ctx)
        at = pricer.place(record)
        before_ukwh = self.seen.get(at.start_s)
        if before_ukwh is not None and at.quantity_ukwh <= before_ukwh:
            return
        self.seen.put(at.start_s, at.quantity_ukwh)
        bill = self.bills.get(at.month) or pricer.new_bill(at.month)
        cost = pricer.price(bill, at, before_ukwh)
        self.bills.put(at.month, bill)
        yield Row(record["meter_id"], at.start_s, *(cost[name] for name in CHARGES))

    def _pricer(self, ctx: Any) -> Pricer:
        document = ctx.get_broadcast_state(TARIFFS).get("bench") or self.first[0]
        if document not in self.pricers:
            self.pricers[document] = Pricer(json.loads(document), TIMEZONE)
        return self.pricers[document]


def naive(t_env: StreamTableEnvironment, data: Input) -> StatementSet:
    """Bytes to costs, with a Python call per reading. No contracts and no KPIs: both would only make it slower."""
    documents = [path.read_text(encoding="utf-8") for path in sorted(data.tariffs.glob("*.json"))]
    options = {"connector": "filesystem", "path": data.readings_file.parent.as_uri(), "format": "raw"}
    t_env.execute_sql(create_table("lines", "`line` STRING", options))
    lines = t_env.sql_query("SELECT line, JSON_VALUE(line, '$.meter_id') AS meter_id FROM lines")
    env = StreamExecutionEnvironment(t_env._get_j_env())
    tariffs = env.from_collection(documents, type_info=Types.STRING()).broadcast(TARIFFS)
    readings = t_env.to_data_stream(lines).key_by(lambda row: row[1], key_type=Types.STRING())
    costs = readings.connect(tariffs).process(Price(documents), output_type=COSTED)
    t_env.create_temporary_view("priced", t_env.from_data_stream(costs))
    columns = ", ".join(["`meter_id` STRING", *(f"`{name}` BIGINT" for name in ("start_s", *CHARGES))])
    t_env.execute_sql(create_table("forgotten", columns, {"connector": "blackhole"}))
    statements = t_env.create_statement_set()
    statements.add_insert("forgotten", t_env.from_path("priced"))
    return statements
