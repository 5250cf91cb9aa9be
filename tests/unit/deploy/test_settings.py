"""Settings of environments: what a customer says in environments.toml, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.overrides import VARIABLE
from deploy.settings import ENVIRONMENTS, SettingsError, check_operators, environment_named


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The customer's file, empty yet."""
    path = tmp_path / "environments.toml"
    path.write_text("")
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def test_a_customer_says_who_is_told_without_touching_code(said: Path) -> None:
    said.write_text('[prod]\noperators = ["ana@plant.example"]\nmonthly_budget_usd = 700\njob = {state_days = "40"}\n')
    prod = environment_named("prod")
    assert prod.operators == ("ana@plant.example",)
    assert (prod.monthly_budget_usd, prod.job, prod.retain) == (700, {"state_days": "40"}, True)
    assert environment_named("dev") == ENVIRONMENTS["dev"]
    check_operators(prod)


def test_another_environment_is_like_one_that_is_there(said: Path) -> None:
    said.write_text('[north]\nlike = "prod"\nregion = "eu-north-1"\n')
    north = environment_named("north")
    assert (north.prefix, north.region, north.autoscaling) == ("metering-north", "eu-north-1", True)


def test_the_local_endpoint_is_the_same_for_everybody(said: Path) -> None:
    said.write_text("[local]\nshards = 9\n")
    assert environment_named("local") == ENVIRONMENTS["local"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[prod]\noperator = []", r"\[prod\] operator is no setting; did you mean operators\?"),
        ('[prod]\noperators = "ana@plant.example"', "operators is a list of strings"),
        ('[prod]\nshards = "2"', "shards is of type int"),
        ("[prod]\nretain = 1", "retain is of type bool"),
        ("[prod]\nshards = true", "shards is of type int"),
        ("[prod]\njob = {state_days = 40}", "job is a table of strings"),
        ("[prod]\nname = 'x'", "name is no setting"),
        ("[prod", "environments.toml"),
        ("operators = []", "stands outside of a table"),
        ("[prod]\nretention_h = 1", "retentions lie between"),
        ("[prod]\nquiet_s = 90", "quiet_s is whole minutes"),
        ("[prod]\nlike = 'nowhere'", "no environment 'nowhere'; there are local, dev, staging, prod"),
    ],
    ids=str,
)
def test_faults_of_the_file_are_named_with_their_place(said: Path, text: str, told: str) -> None:
    said.write_text(text)
    with pytest.raises(SettingsError, match=told):
        environment_named("prod")


def test_a_file_that_is_named_and_not_there_is_no_empty_one(said: Path) -> None:
    said.unlink()
    with pytest.raises(SettingsError, match="not there"):
        environment_named("prod")


def test_what_keeps_its_data_has_somebody_who_is_told(said: Path) -> None:
    with pytest.raises(SettingsError, match=r"(?s)prod keeps its data.*\[prod\]\n  operators"):
        check_operators(environment_named("prod"))
    check_operators(environment_named("dev"))
