"""Settings: every fault at once, each naming its key; secrets never shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flink_job.config import ConfigError, load_settings, properties_path, read_settings
from flink_job.schemas import OUTPUTS

GOOD: dict[str, dict[str, str]] = {
    "readings": {"stream": "r"},
    "contracts": {"stream": "c"},
    "outputs": {name: f"d-{name}" for name in OUTPUTS},
    "tariffs": {"uri": "s3://bucket/tariffs/"},
}


def with_keys(group: str, **keys: str) -> dict[str, dict[str, str]]:
    return {**GOOD, group: {**GOOD.get(group, {}), **keys}}


def problems(groups: dict[str, dict[str, str]]) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read_settings(groups)
    return raised.value.problems


def test_defaults_and_given_values() -> None:
    settings = read_settings(with_keys("job", parallelism="4"))
    assert (settings.job.parallelism, settings.job.watermark_delay_s, settings.readings.stream) == (4, 120, "r")


def test_a_flag_is_true_or_false() -> None:
    """Text that is neither is refused: bool("false") would be True."""
    asked = [read_settings(with_keys("job", request_tuning=text)).job.request_tuning for text in ("true", "False")]
    assert asked == [True, False]
    assert not read_settings(GOOD).job.request_tuning
    assert problems(with_keys("job", request_tuning="yes")) == [
        "job: request_tuning is 'yes'; it must be true or false"
    ]


def test_the_groups_of_the_service_are_left_alone() -> None:
    read_settings({**GOOD, "kinesis.analytics.flink.run.options": {"python": "main.py"}})


def test_every_fault_is_reported_at_once() -> None:
    groups = with_keys("job", paralelism="2", watermark_delay_s="soon", max_parallelism="0")
    groups["readings"] = {"stream": "", "initial_position": "YESTERDAY"}
    found = "\n".join(problems(groups))
    assert "job: key 'paralelism' is unknown; did you mean 'parallelism'?" in found
    assert "job: watermark_delay_s is 'soon'; it must be a whole number" in found
    assert "job: max_parallelism is 0; it must be between 1 and 32768" in found
    assert "readings: stream is ''; it must be the stream's name" in found
    assert "initial_position is 'YESTERDAY'" in found


def test_connector_options_are_checked_against_the_known_ones() -> None:
    good = read_settings({**GOOD, "readings": {"stream": "r", "connector.scan.stream.recordpublisher": "EFO"}})
    assert good.readings.connector == {"scan.stream.recordpublisher": "EFO"}
    [problem] = problems({**GOOD, "readings": {"stream": "r", "connector.scan.stream.recordpublischer": "EFO"}})
    assert "did you mean 'scan.stream.recordpublisher'?" in problem


def test_an_unknown_group_has_a_suggestion() -> None:
    assert problems({**GOOD, "output": {}}) == ["property group 'output' is unknown; did you mean 'outputs'?"]


def test_secrets_are_not_shown() -> None:
    dsn = "https://secret@example.org/1"
    settings = read_settings(with_keys("job", sentry_dsn=dsn))
    assert settings.job.sentry_dsn == dsn
    assert "secret" not in repr(settings)
    assert all("secret" not in p for p in problems(with_keys("job", sentry_dsn=dsn, parallelism="x")))


def test_the_file_is_where_the_variable_says(tmp_path: Path) -> None:
    path = tmp_path / "application_properties.json"
    path.write_text(json.dumps([{"PropertyGroupId": k, "PropertyMap": v} for k, v in GOOD.items()]))
    assert load_settings(properties_path({"APPLICATION_PROPERTIES": str(path)})).contracts.stream == "c"
    assert str(properties_path({})) == "/etc/flink/application_properties.json"


def test_a_missing_file_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="APPLICATION_PROPERTIES"):
        load_settings(tmp_path / "none.json")
