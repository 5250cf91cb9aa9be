"""Settings that a customer changes without changing code: `environments.toml`, or the file in METERING_ENVIRONMENTS.

[prod]
operators = ["operations@plant.example"]
monthly_budget_usd = 3000

[north]                # another environment, like one of deploy/settings.py
like = "prod"
region = "eu-north-1"
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.errors import DeployError

if TYPE_CHECKING:
    from deploy.settings import Environment

FILE = Path(__file__).resolve().parents[1] / "environments.toml"
VARIABLE = "METERING_ENVIRONMENTS"
LIKE = "like"
#: The environment of the local endpoint cannot be changed.
LOCAL = "local"


class SettingsError(DeployError, ValueError):
    """An unknown environment or invalid settings; the message says what to change."""


def overridden(name: str, environments: Mapping[str, Environment]) -> Environment:
    """The environment of this name with the settings of the file. Raises SettingsError."""
    file = {} if name == LOCAL else _file()
    table = dict(file.get(name, {}))
    base = str(table.pop(LIKE, name))
    if base not in environments:
        known = [*environments, *(other for other in file if other not in environments)]
        raise SettingsError(f"no environment {base!r}; use one of {', '.join(known)} (deploy/settings.py, {_path()})")
    found = environments[base]
    changed = {key: _value(type(found), name, key, value) for key, value in table.items()}
    return dataclasses.replace(found, name=name, **changed)


def _path() -> Path:
    return Path(os.environ.get(VARIABLE) or FILE)


def _file() -> Mapping[str, Mapping[str, Any]]:
    """The tables of the file; empty if there is no file."""
    path = _path()
    if not path.is_file():
        if os.environ.get(VARIABLE):
            raise SettingsError(f"{VARIABLE} is set to {path}, which does not exist")
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise SettingsError(f"{path}: {name} is not in a table; start with a line such as [prod]")
    return tables


def _value(kind: type[Any], environment: str, key: str, value: Any) -> Any:
    """Convert a value to the type of the setting. Raises SettingsError."""
    hints = {f.name: typing.get_type_hints(kind)[f.name] for f in dataclasses.fields(kind) if f.name != "name"}
    place = f"{_path()}: [{environment}] {key}"
    if key not in hints:
        near = difflib.get_close_matches(key, hints, 1)
        raise SettingsError(f"{place} is not a setting" + (f"; did you mean {near[0]}?" if near else ""))
    wanted = hints[key]
    if typing.get_origin(wanted) is tuple:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise SettingsError(f"{place} must be a list of strings")
    if wanted in (str, int, bool):
        if type(value) is not wanted:
            raise SettingsError(f"{place} must be of type {wanted.__name__}")
        return value
    if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return value
    raise SettingsError(f"{place} must be a table of strings")
