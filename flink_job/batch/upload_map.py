"""The map of an uploaded export: its own, or that of the nearest folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from flink_job.io.records import InputError, MissingInputError, open_input

#: Name of the map of a folder, and suffix of the map of a file.
FOLDER_MAP, SUFFIX = "map.yaml", ".yaml"
#: Longest map [bytes]. It is an argument of the process that reads the file, of at most 128 KiB.
MAX_MAP_BYTES = 65_536


class StatedMap(NamedTuple):
    """A map in YAML and where it is; both empty: there is none."""

    uri: str = ""
    text: str = ""

    def with_digest(self, digest: str) -> str:
        """Return the SHA-256 of a file and its map; without a map that of the file."""
        return hashlib.sha256(f"{digest}\n{self.text}".encode()).hexdigest() if self.text else digest


NO_MAP = StatedMap()


def map_at(uri: str) -> StatedMap:
    """Return the map in a file or S3 object. Raises InputError."""
    try:
        with open_input(uri) as raw:
            data = raw.read(MAX_MAP_BYTES + 1)
    except OSError:
        raise InputError(f"{uri}: no such map") from None
    if len(data) > MAX_MAP_BYTES:
        raise InputError(f"{uri}: a map has at most {MAX_MAP_BYTES:,} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{uri}: a map is UTF-8") from None
    if not text.strip() or "\0" in text:
        raise InputError(f"{uri}: a map has keys such as meter_id and timezone; see docs/use/import.md")
    return StatedMap(uri, text)


def map_of_upload(path: str, tenant: str, maps: str) -> StatedMap:
    """Return the map of a file of a tenant, by its path below the tenant's folder; NO_MAP if there is none.

    Below `maps`, a folder or S3 prefix, it is `<tenant>/<path>.yaml`, or `map.yaml` in the folder of the file or in the
    nearest one above it, up to that of the tenant. Raises InputError.
    """
    root = f"{maps.rstrip('/')}/{tenant}"
    folders = Path(path).parent.parts
    wanted = [f"{path}{SUFFIX}"]
    wanted += ["/".join([*folders[:depth], FOLDER_MAP]) for depth in range(len(folders), -1, -1)]
    for name in wanted:
        if found := _existing(f"{root}/{name}"):
            return found
    return NO_MAP


def _existing(uri: str) -> StatedMap | None:
    try:
        with open_input(uri):
            pass
    except (FileNotFoundError, NotADirectoryError, MissingInputError):
        return None
    return map_at(uri)
