"""The map of a file: what its columns mean. A profile is a map with a name and the header that it belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import yaml

from flink_job.errors import MeteringError

Stamp = Literal["begin", "end"]
Kind = Literal["interval", "register"]
_SPANS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400}


class FileError(MeteringError, ValueError):
    """A file or map that cannot be used; the message names the file, the line and the remedy."""


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    """Base of the parts of a map: an unknown key is an error."""


class Cell(_Strict, kw_only=True):
    """A value that a column of the file states; `values` translates it. `unit`: of an interval.

    `columns`: of meters in columns, the pattern of their columns; each is a meter of that name.
    """

    column: str = ""
    columns: str = ""
    unit: str = ""
    values: dict[str, str] = {}


class Csv(_Strict, kw_only=True):
    """Separator, decimal sign and encoding; empty: found from the content. `header`: line of the column names."""

    separator: str = ""
    decimal: str = ""
    encoding: str = ""
    header: int = 0


class Time(_Strict, kw_only=True):
    """Columns of the time.

    `column`, or `date` and `time`, or `date` and `ordinal` (number of the interval in the local day, from 1), or `date`
    and `wide` (pattern of the columns of the intervals of a day, in order; `>=NAME` for those from NAME on). `format`:
    of strptime, `iso`, `s` or `ms`. `end`: a column of the ends of the intervals, by which their length is checked.
    """

    column: str = ""
    date: str = ""
    time: str = ""
    ordinal: str = ""
    wide: str = ""
    format: str = ""
    end: str = ""


class Quantity(_Strict, kw_only=True):
    """Meaning of a column of values; `register`: a cumulative value. `from_zero`: the register began in the file."""

    channel: str | Cell = "import"
    unit: str | Cell = ""
    kind: Kind | None = None
    from_zero: bool = False


class Map(_Strict, kw_only=True):
    """All that must be known of a file. `fixed_offset`: times are in the standard time of the zone all year.

    `unit` and `kind` are those of columns that state none.
    """

    meter_id: str | Cell | None = None
    timezone: str = ""
    fixed_offset: bool = False
    interval: str | Cell | None = None
    stamp: Stamp | None = None
    time: Time | None = None
    columns: dict[str, Quantity] = {}
    unit: str = ""
    kind: Kind | None = None
    ignore: list[str] = []
    csv: Csv = msgspec.field(default_factory=Csv)

    @property
    def is_partial(self) -> bool:
        """Whether it only answers what a file leaves open: columns of times and values are found in the file."""
        has_time = self.time is not None and bool(self.time.column or self.time.date)
        has_meters = isinstance(self.meter_id, Cell) and bool(self.meter_id.columns)
        return not has_time and not has_meters and not self.columns


class Profile(Map, kw_only=True):
    """A map for the files of one source. `header`: columns that identify it; `shape`: how the rows are laid out."""

    title: str
    header: list[str] = []
    shape: str = "table"
    name: str = ""
    notes: list[str] = []


@dataclass
class Sheet:
    """Rows of a file: texts by column, and the line of each row.

    `refused`: lines that are no rows, with the reason. `meter_column`: column of the meters of a file that has several.
    """

    columns: dict[str, Any]
    lines: Any
    refused: list[Refused] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    meter_column: str = ""


@dataclass(frozen=True)
class Refused:
    """A row that was not taken: its line, the reason, and what it holds."""

    line: int
    reason: str
    text: str = ""


def seconds(text: str) -> int:
    """Return a span such as 15min, 1h or 900 [s]. Raises FileError."""
    found = re.fullmatch(r"\s*(\d+)\s*([a-z]*)\s*", str(text))
    unit = found[2] or "s" if found else ""
    if not found or unit not in _SPANS or not int(found[1]):
        raise FileError(f"interval {text!r}: it is a number with s, min, h or d, such as 15min")
    return int(found[1]) * _SPANS[unit]


def map_of(text: str, name: str, kind: type[Any] = Map, profiles: Callable[[str], dict[str, Any]] | None = None) -> Any:
    """Return a map or profile from YAML. Raises FileError, which names the key at fault.

    `profiles` returns the keys of the profile that the key `profile` of a map names; the map's own keys replace them.
    """
    try:
        found = yaml.safe_load(text)
        if not isinstance(found, dict):
            raise FileError(f"{name}: a map has keys such as meter_id, time and columns; see docs/use/import.md")
        time = found.get("time")
        if isinstance(time, dict) and isinstance(wide := time.get("wide"), dict):
            # `wide: {date: Day, first: "00:00"}` is another form of `date: Day, wide: ">=00:00"`.
            found["time"] = time | {"date": wide.get("date", ""), "wide": f">={wide.get('first', '')}"}
        if profiles and (base := found.pop("profile", None)) is not None:
            found, kind = _over(profiles(str(base)), found), Profile
        return msgspec.convert(found, kind)
    except yaml.YAMLError as error:
        raise FileError(f"{name}: not YAML: {str(error).splitlines()[0]}") from None
    except msgspec.ValidationError as error:
        raise FileError(f"{name}: {error}; the keys of a map are in docs/use/import.md") from None


def _over(base: dict[str, Any], keys: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a base with others in their place, at every depth."""
    both = dict(base)
    for key, value in keys.items():
        known = both.get(key)
        both[key] = _over(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return both
