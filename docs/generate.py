"""Writes docs/tables.md from the schema: `python -m docs.generate`."""

from pathlib import Path

from flink_job.schemas import BATCH_TABLES, OUTPUTS, SERVICE_TABLES


def main() -> None:
    """Write the page."""
    lines = ["# Output tables", "", "Written by `python -m docs.generate` from `flink_job/schemas.py`.", ""]
    lines += ["Sinks are at-least-once: read each key once (`python -m flink_job query` does).", ""]
    for table in [*OUTPUTS.values(), *SERVICE_TABLES.values(), *BATCH_TABLES.values()]:
        lines += [f"## {table.name}", "", f"{table.doc} Key: {', '.join(f'`{k}`' for k in table.key)}.", ""]
        lines += ["| column | type | what it holds |", "| --- | --- | --- |"]
        lines += [f"| `{c.name}` | {c.glue} | {c.doc} |" for c in table.columns]
        lines += [""]
    Path(__file__).with_name("tables.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
