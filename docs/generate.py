"""Writes docs/tables.md from the schema: `python -m docs.generate`."""

from pathlib import Path

from flink_job.schemas import BATCH_TABLES, EVENT_DATE, OUTPUTS, SERVICE_TABLES, Table


def main() -> None:
    """Write the page."""
    lines = ["# Output tables", "", "Written by `python -m docs.generate` from `flink_job/schemas.py`.", ""]
    lines += [
        "In Glue a table of the lake is `<name>_rows`: rows as they were delivered, some more than once. The view",
        "`<name>` has each key once, and so has `python -m flink_job query`. Both have a column more, the partition:",
        f"`{EVENT_DATE.name}`, {EVENT_DATE.doc[0].lower()}{EVENT_DATE.doc[1:]}. See [The lake](lake.md).",
        "",
    ]
    for table in [*OUTPUTS.values(), *SERVICE_TABLES.values(), *BATCH_TABLES.values()]:
        lines += [
            f"## {table.name}",
            "",
            f"{table.doc} Key: {', '.join(f'`{k}`' for k in table.key)}.{_dated(table)}",
            "",
        ]
        lines += ["| column | type | what it holds |", "| --- | --- | --- |"]
        lines += [f"| `{c.name}` | {c.glue} | {c.doc} |" for c in table.columns]
        lines += [""]
    Path(__file__).with_name("tables.md").write_text("\n".join(lines), encoding="utf-8")


def _dated(table: Table) -> str:
    return f" Partition: date of `{table.event_time}`." if table.event_time else ""


if __name__ == "__main__":
    main()
