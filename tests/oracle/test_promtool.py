"""Prometheus as a second opinion: at aligned steps its `for` and `keep_firing_for` are our `for` and `clear_for`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.alerts.document import parse_rules
from flink_job.alerts.episodes import step
from flink_job.alerts.points import Point
from flink_job.alerts.tracks import RuleState
from flink_job.dataflow.environment import PROJECT

STEP_MS = 60_000
LIMIT = 80
BUILT = PROJECT / "build" / "promtool"
PROMTOOL = str(BUILT) if BUILT.exists() else shutil.which("promtool")

pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="no promtool here; 'make build/promtool' gets it from Debian")

cases = st.lists(
    st.tuples(
        st.integers(0, 4), st.integers(0, 4), st.lists(st.sampled_from([70, 80, 81, 90]), min_size=5, max_size=24)
    ),
    min_size=1,
    max_size=12,
)


def firing(sustained: int, clear_for: int, values: list[int]) -> list[bool]:
    """Whether our alert is active after each step."""
    document = {"rule_id": "r", "signal": "temperature", "severity": "major", "when": f"> {LIMIT}"}
    document |= {"for": f"{sustained}m", "clear_for": f"{clear_for}m"}
    [rule] = parse_rules(msgspec.json.encode({"rules": [document]})).rules
    state, active = RuleState(), []
    for number, value in enumerate(values):
        step(rule, "m", state, Point(number * STEP_MS, 60, 0, value), (number + 1) * STEP_MS)
        active.append(state.live.episode is not None)
    return active


def rule_file(tested: list[tuple[int, int, list[int]]]) -> dict[str, object]:
    rules = [
        {
            "alert": f"a{n}",
            "expr": f'm{{n="{n}"}} > {LIMIT}',
            "for": f"{sustained}m",
            "keep_firing_for": f"{clear_for}m",
        }
        for n, (sustained, clear_for, _) in enumerate(tested)
    ]
    return {"groups": [{"name": "g", "interval": "1m", "rules": rules}]}


def test_file(tested: list[tuple[int, int, list[int]]]) -> dict[str, object]:
    series = [
        {"series": f'm{{n="{n}"}}', "values": " ".join(map(str, values))} for n, (_, _, values) in enumerate(tested)
    ]
    expected = [
        {
            "eval_time": f"{minute}m",
            "alertname": f"a{n}",
            "exp_alerts": [{"exp_labels": {"n": str(n)}}] if active else [],
        }
        for n, case in enumerate(tested)
        for minute, active in enumerate(firing(*case))
    ]
    test = {"interval": "1m", "input_series": series, "alert_rule_test": expected}
    return {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]}


test_file.__test__ = False  # type: ignore[attr-defined]


def promtool(folder: Path, tests: dict[str, object], rules: dict[str, object]) -> subprocess.CompletedProcess[str]:
    (folder / "rules.yml").write_text(yaml.safe_dump(rules))
    (folder / "test.yml").write_text(yaml.safe_dump(tests))
    command = [str(PROMTOOL), "test", "rules", "test.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@settings(max_examples=60, deadline=None)
@given(cases)
def test_promtool_agrees(tmp_path_factory: pytest.TempPathFactory, tested: list[tuple[int, int, list[int]]]) -> None:
    done = promtool(tmp_path_factory.mktemp("promtool"), test_file(tested), rule_file(tested))
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_would_disagree(tmp_path: Path) -> None:
    """The comparison can fail: with a longer `for` on one side it does."""
    tested = [(1, 0, [90, 90, 90])]
    assert promtool(tmp_path, test_file(tested), rule_file(tested)).returncode == 0
    assert promtool(tmp_path, test_file(tested), rule_file([(2, 0, [90, 90, 90])])).returncode != 0
