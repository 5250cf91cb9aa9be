"""Readings of an import as NDJSON or Parquet, in the format of the stream."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import duckdb
import msgspec
import numpy as np
import pandas as pd

from flink_job.imports.model import FileError, Refused
from flink_job.metering.units import BILLED_CHANNELS, MEASURED_CHANNELS

FORMATS = (".ndjson", ".parquet")
_CHUNK = 50_000


def write_readings(frame: pd.DataFrame, target: Path) -> None:
    """Write readings to a file, aside and then in place of an earlier one. Raises FileError."""
    if target.suffix not in FORMATS:
        raise FileError(f"{target}: the name must end in one of {', '.join(FORMATS)}")
    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".parquet":
            _write_parquet(frame, partial)
        else:
            with partial.open("wb") as out:
                for lines in ndjson(frame):
                    out.write(lines)
        partial.replace(target)
    except OSError as error:
        raise FileError(f"{target}: cannot be written: {error.strerror}; an earlier file is unchanged") from None
    finally:
        partial.unlink(missing_ok=True)


def numbered(frame: pd.DataFrame) -> Iterator[tuple[int, bytes]]:
    """Yield readings as (line of the file, JSON)."""
    lines = iter(frame["line"].tolist())
    for chunk in ndjson(frame):
        # A chunk ends before the lines do, so it comes first: zip takes no line beyond it.
        yield from ((line, payload) for payload, line in zip(chunk.splitlines(), lines, strict=False))


def ndjson(frame: pd.DataFrame) -> Iterator[bytes]:
    """Yield readings as lines of JSON, many at a time."""
    for first in range(0, len(frame), _CHUNK):
        part = frame.iloc[first : first + _CHUNK]
        starts = part["start_ms"].to_numpy().astype("datetime64[ms]")
        texts = np.datetime_as_string(starts, unit="s").tolist()
        rows = zip(
            part["meter"].tolist(),
            texts,
            part["interval_s"].tolist(),
            part["channel"].tolist(),
            part["micro"].tolist(),
            part["estimated"].tolist(),
            strict=True,
        )
        names = {name: msgspec.json.encode(name).decode() for name in part["meter"].unique()}
        yield "".join(
            f'{{"meter_id":{names[meter]},"interval_start":"{start}Z","interval_s":{interval},'
            f"{_value(channel, micro)}{QUALITY if estimated is True else ''}}}\n"
            for meter, start, interval, channel, micro, estimated in rows
        ).encode()


QUALITY = ',"quality":"estimated"'


def _value(channel: str, micro: int) -> str:
    number = decimal_text(micro)
    if channel in MEASURED_CHANNELS:
        return f'"channel":"{channel}","value":{number},"unit":"{MEASURED_CHANNELS[channel]}"'
    if channel == "import":
        return f'"energy_kwh":{number}'
    if BILLED_CHANNELS[channel] == "kvarh":
        return f'"channel":"{channel}","value":{number},"unit":"kvarh"'
    return f'"channel":"{channel}","energy_kwh":{number}'


def decimal_text(micro: int) -> str:
    """Return an integer of 1e-6 as a decimal number without trailing zeros."""
    whole, rest = divmod(abs(micro), 1_000_000)
    return f"{'-' if micro < 0 else ''}{whole}{f'.{rest:06d}'.rstrip('0') if rest else ''}"


def _write_parquet(frame: pd.DataFrame, target: Path) -> None:
    """Write one row a reading; numbers are decimals with six places."""
    rows = pd.DataFrame(
        {
            "meter_id": frame["meter"].astype(str),
            "interval_start": frame["start_ms"],
            "interval_s": frame["interval_s"].astype("int32"),
            "channel": frame["channel"].astype(str),
            "micro": frame["micro"],
            "quality": np.where(frame["estimated"].eq(True), "estimated", "actual"),
            "unit": frame["channel"].astype(str).map(BILLED_CHANNELS | MEASURED_CHANNELS),
        }
    )
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        path = str(target).replace("'", "''")
        # 1e-6 as an integer becomes a decimal without passing through a float.
        connection.execute(
            "COPY (SELECT meter_id, interval_start, "
            "interval_s, channel, (micro::DECIMAL(18, 0) * 0.000001::DECIMAL(7, 6))::DECIMAL(18, 6) AS value, "
            f"unit, quality FROM rows) TO '{path}' (FORMAT parquet)"
        )


def write_refused(refused: Sequence[Refused], target: Path) -> None:
    """Write refused rows as CSV."""
    target.write_bytes(refused_csv((row.line, row.reason, row.text) for row in refused))


def refused_csv(rows: Iterable[tuple[int | str, str, str]]) -> bytes:
    """Return rows (line, reason, text) as CSV; cells that a spreadsheet takes for formulas begin with an apostrophe."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["line", "reason", "row"])
    for line, reason, text in rows:
        writer.writerow([line, reason, "'" + text if text[:1] in "=+-@\t" and text else text])
    return out.getvalue().encode("utf-8", "replace")
