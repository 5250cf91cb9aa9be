"""Settings of environments: overrides in environments.toml, and invalid values."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.overrides import VARIABLE
from deploy.settings import ENVIRONMENTS, SettingsError, check_operators, environment_named


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Path of an empty environments.toml."""
    path = tmp_path / "environments.toml"
    path.write_text("")
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def test_overrides_change_an_environment(file: Path) -> None:
    file.write_text('[prod]\noperators = ["ana@plant.example"]\nmonthly_budget_usd = 700\njob = {state_days = "40"}\n')
    prod = environment_named("prod")
    assert prod.operators == ("ana@plant.example",)
    assert (prod.monthly_budget_usd, prod.job, prod.retain) == (700, {"state_days": "40"}, True)
    assert environment_named("dev") == ENVIRONMENTS["dev"]
    check_operators(prod)


def test_new_environment_is_based_on_another(file: Path) -> None:
    file.write_text('[north]\nlike = "prod"\nregion = "eu-north-1"\n')
    north = environment_named("north")
    assert (north.prefix, north.region, north.autoscaling) == ("metering-north", "eu-north-1", True)


def test_local_environment_is_not_overridden(file: Path) -> None:
    file.write_text("[local]\nshards = 9\n")
    assert environment_named("local") == ENVIRONMENTS["local"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[prod]\noperator = []", r"\[prod\] operator is not a setting; did you mean operators\?"),
        ('[prod]\noperators = "ana@plant.example"', "operators must be a list of strings"),
        ('[prod]\nshards = "2"', "shards must be of type int"),
        ("[prod]\nretain = 1", "retain must be of type bool"),
        ("[prod]\nshards = true", "shards must be of type int"),
        ("[prod]\njob = {state_days = 40}", "job must be a table of strings"),
        ("[prod]\nname = 'x'", "name is not a setting"),
        ("[prod", "environments.toml"),
        ("operators = []", "is not in a table"),
        ("[prod]\nretention_h = 1", "retentions must be"),
        ("[prod]\nquiet_s = 90", "quiet_s must be whole minutes"),
        ("[prod]\nsource = 'dev'", "set canary = false"),
        ("[prod]\nsource = 'prod'\ncanary = false", "must name another one"),
        ("[prod]\nsource = 'none'\ncanary = false", "no environment 'none'"),
        ("[prod]\nsource = 'dev'\ncanary = false\nregion = 'us-east-1'", "dev has another region"),
        ("[prod]\nlike = 'nowhere'", "no environment 'nowhere'; use one of local, dev, staging, prod"),
    ],
    ids=str,
)
def test_invalid_setting_is_reported_with_its_place(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError, match=message):
        environment_named("prod")


def test_missing_file_in_variable_is_an_error(file: Path) -> None:
    file.unlink()
    with pytest.raises(SettingsError, match="does not exist"):
        environment_named("prod")


def test_environment_that_retains_data_needs_operators(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"(?s)prod retains its data.*\[prod\]\n  operators"):
        check_operators(environment_named("prod"))
    check_operators(environment_named("dev"))
