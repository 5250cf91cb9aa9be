"""What a customer sets without touching code: `environments.toml` beside the README, or where a variable says.

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

if TYPE_CHECKING:
    from deploy.settings import Environment

FILE = Path(__file__).resolve().parents[1] / "environments.toml"
VARIABLE = "METERING_ENVIRONMENTS"
LIKE = "like"
#: The local endpoint is the same for everybody.
LOCAL = "local"


class SettingsError(ValueError):
    """An environment that is not there, or settings that contradict each other; the message says what to change."""


def overridden(name: str, environments: Mapping[str, Environment]) -> Environment:
    """The environment of a name with what the file says of it. Raises SettingsError."""
    said = {} if name == LOCAL else _file()
    table = dict(said.get(name, {}))
    base = str(table.pop(LIKE, name))
    if base not in environments:
        known = [*environments, *(other for other in said if other not in environments)]
        raise SettingsError(f"no environment {base!r}; there are {', '.join(known)} (deploy/settings.py, {_path()})")
    found = environments[base]
    changed = {key: _value(type(found), name, key, value) for key, value in table.items()}
    return dataclasses.replace(found, name=name, **changed)


def _path() -> Path:
    return Path(os.environ.get(VARIABLE) or FILE)


def _file() -> Mapping[str, Mapping[str, Any]]:
    """The tables of the file; none where there is no file."""
    path = _path()
    if not path.is_file():
        if os.environ.get(VARIABLE):
            raise SettingsError(f"{VARIABLE} names {path}, which is not there")
        return {}
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    for name, table in said.items():
        if not isinstance(table, dict):
            raise SettingsError(f"{path}: {name} stands outside of a table; begin with [{name}] or [prod]")
    return said


def _value(kind: type[Any], environment: str, key: str, value: Any) -> Any:
    """A value as the field has it. Raises SettingsError."""
    hints = {f.name: typing.get_type_hints(kind)[f.name] for f in dataclasses.fields(kind) if f.name != "name"}
    place = f"{_path()}: [{environment}] {key}"
    if key not in hints:
        near = difflib.get_close_matches(key, hints, 1)
        raise SettingsError(f"{place} is no setting" + (f"; did you mean {near[0]}?" if near else ""))
    wanted = hints[key]
    if typing.get_origin(wanted) is tuple:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise SettingsError(f"{place} is a list of strings")
    if wanted in (str, int, bool):
        if type(value) is not wanted:
            raise SettingsError(f"{place} is of type {wanted.__name__}")
        return value
    if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return value
    raise SettingsError(f"{place} is a table of strings")
