"""Any file of readings to the intervals of each meter."""

from __future__ import annotations

import gzip
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from flink_job.batch.parquet import ParquetError, columns_in
from flink_job.batch.stage import InputError, open_input
from flink_job.metering.bounds import MAX_DETAIL
from flink_job.rate.columns import ReadingColumns
from flink_job.rate.records import read_reading_records
from flink_job.rate.tables import COLUMNS, has_columns, read_csv, read_parquet
from flink_job.tariffs.history import Intervals


@dataclass
class Readings:
    """Intervals by meter, and what became of the other records."""

    meters: dict[str, Intervals]
    repeats: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return sum(len(data.start_ms) for data in self.meters.values())


def read_readings(names: Sequence[str], zone: ZoneInfo) -> Readings:
    """The readings of all files. Raises InputError."""
    rejected: Counter[str] = Counter()
    parts = [_read(name, zone, rejected) for name in names]
    meters, repeats = ReadingColumns.concatenated(parts).by_meter()
    if not meters:
        raise InputError(f"{', '.join(names)}: no readings")
    return Readings(meters, repeats, rejected)


def _read(name: str, zone: ZoneInfo, rejected: Counter[str]) -> ReadingColumns:
    """Tables go the fast way; anything else is read record by record, as the stream would."""
    suffix = Path(name.removesuffix(".gz")).suffix.lower()
    gzipped = name.endswith(".gz")
    try:
        if suffix == ".csv" and has_columns(open_input(name), gzipped):
            with open_input(name) as raw:
                return read_csv(name, gzip.open(raw) if gzipped else raw, zone)  # type: ignore[arg-type]
        if suffix == ".parquet":
            with open_input(name) as raw:
                if set(COLUMNS) <= set(columns_in(raw)):
                    raw.seek(0)
                    return read_parquet(name, raw, zone)
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{name}: no such file") from None
    except (EOFError, gzip.BadGzipFile, zlib.error, ParquetError) as error:
        raise InputError(f"{name}: {error}") from None
    except InputError:
        raise
    except Exception as error:  # a file may hold anything: what was not foreseen is the file's fault, and named
        raise InputError(f"{name}: {type(error).__name__}: {error}"[:MAX_DETAIL]) from error
    return read_reading_records(name, rejected, int(time.time() * 1000))
