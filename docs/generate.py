"""Writes docs/reference/tables.md from the schemas of tables and views: `python -m docs.generate`."""

from pathlib import Path

from deploy.lake.catalog import view_columns
from flink_job.columns import Table
from flink_job.dataflow.wire import wire_names
from flink_job.lake.views import VIEWS, View
from flink_job.metering.reasons import Rejection, Unpriced
from flink_job.schemas import BATCH_TABLES, EVENT_DATE, OUTPUTS, SERVICE_TABLES

PAGE = Path(__file__).parent / "reference" / "tables.md"
_HEAD = f"""# Output tables

Written by `python -m docs.generate` from `flink_job/schemas.py` and `flink_job/lake/views.py`.

In Glue a table of the lake is `<name>_rows`: rows as they were delivered, some more than once. The view
`<name>` has each key once, and so has `python -m flink_job query`. Both have a column more, the partition:
`{EVENT_DATE.name}`, {EVENT_DATE.doc}. See [The lake](../use/query.md).
The [merged views](#views) over these tables are what most questions need.

Records to Firehose have shorter column names, because their bytes are billed (`flink_job/dataflow/wire.py`); so have
the records in the error prefix. The alerts stream has the columns' own names.
"""
_VIEWS = """# Views

Computed from the tables above by `flink_job/lake/<name>.sql`, in Athena and in `python -m flink_job query` alike. They
include late readings and corrections; `bills` includes what `rerate` adds.
"""


_REASONS = """# Reason codes

Values of the column `reason` of `rejected` and `unpriced`. Codes are never renamed.
"""


def page() -> str:
    """The text of the page."""
    types = view_columns()
    sections = [_HEAD]
    sections += [_table(table) for table in (*OUTPUTS.values(), *SERVICE_TABLES.values(), *BATCH_TABLES.values())]
    sections += [_VIEWS, *(_view(view, types[view.name]) for view in VIEWS.values())]
    return "\n".join([*sections, _reasons()])


def _reasons() -> str:
    codes = [(table, code) for table, kinds in (("rejected", Rejection), ("unpriced", Unpriced)) for code in kinds]
    rows = [f"| `{table}` | `{code}` | {code.doc} |" for table, code in codes]
    return "\n".join([_REASONS, "| table | reason | meaning |", "| --- | --- | --- |", *rows, ""])


def _table(table: Table) -> str:
    dated = f" Partition: date of `{table.event_time}`." if table.event_time else ""
    wire = wire_names(table) if table.name in OUTPUTS else {}
    columns = [(c.name, c.glue, c.doc) for c in table.columns]
    return _section(table.name, table.doc, table.key, dated, columns, wire)


def _view(view: View, types: list[tuple[str, str]]) -> str:
    return _section(view.name, view.doc, view.key, "", [(name, kind, view.columns[name]) for name, kind in types])


def _section(
    name: str,
    doc: str,
    key: tuple[str, ...],
    more: str,
    columns: list[tuple[str, str, str]],
    wire: dict[str, str] | None = None,
) -> str:
    """A table or view; with the names that columns have in records where `wire` gives them."""
    head = [f"## {name}", "", f"{doc} Key: {', '.join(f'`{column}`' for column in key)}.{more}", ""]
    rows = [f"| `{column}` | {kind} | {held} |" for column, kind, held in columns]
    top = ["| column | type | what it holds |", "| --- | --- | --- |"]
    if wire:
        top = [f"{top[0]} in records |", f"{top[1]} --- |"]
        rows = [f"{row} `{wire[column]}` |" for row, (column, _, _) in zip(rows, columns, strict=True)]
    return "\n".join([*head, *top, *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
