"""Columns and tables: the types that flink_job/schemas.py declares the outputs with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column: its name, Flink SQL type, Glue (Hive) type, and documentation with the unit."""

    name: str
    flink: str
    glue: str
    doc: str


@dataclass(frozen=True)
class Table:
    """An output table. Sinks are at-least-once: a key may have several copies, of which readers use one.

    `key`: the columns that identify a row.
    `event_time`: the column whose UTC date is the partition. It is equal in every copy of a row, so a query restricted
    to some days reads only their partitions and still sees each key once.
    `written_at`: the column that orders the copies of a row; the newest is valid. Without it, copies are identical. In
    the tables of OUTCOMES it also orders the outcomes of a record.
    `outcome_where`: SQL condition of the rows that are the outcome of a reading; empty for all rows.
    `counted_where`: SQL condition that selects one row for each reading of which this table has the outcome.
    `ended_by`: tables in which a row of the same reading ends the wait of a row in this one.
    """

    name: str
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    event_time: str = ""
    written_at: str = ""
    outcome_where: str = ""
    counted_where: str = "TRUE"
    ended_by: tuple[str, ...] = ()


def text(name: str, doc: str) -> Column:
    """A STRING column."""
    return Column(name, "STRING", "string", doc)


def integer(name: str, doc: str) -> Column:
    """A 32-bit integer column."""
    return Column(name, "INT", "int", doc)


def long(name: str, doc: str) -> Column:
    """A 64-bit integer column."""
    return Column(name, "BIGINT", "bigint", doc)


def decimal(name: str, doc: str) -> Column:
    """A DECIMAL(18, 6) column, for quantities and amounts."""
    return Column(name, "DECIMAL(18, 6)", "decimal(18,6)", doc)


def double(name: str, doc: str) -> Column:
    """A floating-point column."""
    return Column(name, "DOUBLE", "double", doc)


def timestamp(name: str, doc: str) -> Column:
    """A TIMESTAMP column in UTC, with milliseconds."""
    return Column(name, "TIMESTAMP(3)", "timestamp", f"{doc}, UTC")


def flag(name: str, doc: str) -> Column:
    """A BOOLEAN column."""
    return Column(name, "BOOLEAN", "boolean", doc)


def payload() -> Column:
    """The original bytes of a record, base64-encoded in the output."""
    return Column("payload", "BYTES", "string", "Original bytes of the record, base64")
