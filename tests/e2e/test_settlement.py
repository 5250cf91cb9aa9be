"""Settlement of a deployment at the local endpoint: the task's command on its buckets, and its state machine.

Both sites have two days of 600 readings of 0.1 kWh each, priced at 0.123 per kWh: 2,400 x 0.0123 = 29.52. The tariff
in the registry is 0.246: 59.04.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.kit.names import CONTRACTS, TARIFFS
from deploy.local.endpoint import endpoint, free_port
from flink_job.io.kinesis import client
from tests.harness.deployment import DAYS, NAMES, Deployment, cost_row, wait_for
from tests.harness.jobs import command

METERS = [f"{site}-m{number}" for site in ("zaragoza", "pune") for number in range(3)]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with endpoint(tmp_path_factory.mktemp("endpoint") / "endpoint.log", free_port()) as url:
        found = Deployment(url)
        s3 = client("s3", url)
        head = {"tariff_id": "t", "version": "1", "currency": "EUR", "valid_from": "2026-01-01"}
        tariff = {**head, "energy": {"periods": {"all": [{"price": "0.246"}]}}}
        s3.put_object(Bucket=NAMES.registry, Key=f"{TARIFFS}t.json", Body=json.dumps(tariff).encode())
        assigned = {"timezone": "UTC", "assignments": [{"tariff_id": "t", "valid_from": "2026-01-01"}]}
        contracts = [{"meter_id": m, "site_path": f"{m[:-3]}/casting/line-1/{m}", **assigned} for m in METERS]
        lines = gzip.compress("\n".join(map(json.dumps, contracts)).encode())
        s3.put_object(Bucket=NAMES.registry, Key=CONTRACTS, Body=lines)
        yield found


@pytest.fixture
def arguments(deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command of the container, from the task definition."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", deployed.url)
    ecs = client("ecs", deployed.url)
    tasks = [
        ecs.describe_task_definition(taskDefinition=arn) for arn in ecs.list_task_definitions()["taskDefinitionArns"]
    ]
    commands = [task["taskDefinition"]["containerDefinitions"][0].get("command") or [] for task in tasks]
    [found] = [one for one in commands if one[:1] == ["settle"]]
    return found


def metrics_in(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith('{"_aws"')]


def total(deployed: Deployment) -> str | None:
    return deployed.ask("SELECT SUM(cost) FROM bills")[0][0]


def test_the_task_settles_news_alone_and_nothing_twice(deployed: Deployment, arguments: list[str]) -> None:
    assert total(deployed) == "29.520000"
    output = command(*arguments)
    assert (
        metrics_in(output)[0].items() >= {"Deployment": "deployed", "SettledCycles": 6, "UnsettledSupplies": 0}.items()
    )
    assert metrics_in(output)[1].items() >= {"Currency": "EUR", "SettledAdjustments": 29.52}.items()
    assert total(deployed) == "59.040000"
    assert deployed.ask("SELECT COUNT(*), COUNT(DISTINCT settled_at) FROM settlements") == [["6", "1"]]
    assert "no news since the last settlement" in command(*arguments)
    late = cost_row("pune", DAYS[1], 601) | {"energy_kwh": 10, "energy_cost": 1.23, "cost": 1.23}
    deployed.put("costs", [late])
    wait_for(lambda: deployed.ask("SELECT COUNT(*) FROM costs") == [["2401"]])
    output = command(*arguments)
    # One meter has news: 10 kWh at 0.246.
    assert metrics_in(output)[0]["SettledCycles"] == 1
    assert total(deployed) == "61.500000"
    assert deployed.ask("SELECT COUNT(*) FROM settlements") == [["7"]]
    assert set(deployed.ask("SELECT DISTINCT status FROM bills")[0]) <= {"open", "settled"}


def test_the_schedule_starts_the_state_machine(deployed: Deployment) -> None:
    schedules = client("scheduler", deployed.url)
    names = [item["Name"] for item in schedules.list_schedules()["Schedules"]]
    found = [schedules.get_schedule(Name=name) for name in names]
    [schedule] = [one for one in found if "settlement" in one["Target"]["Arn"]]
    assert schedule["ScheduleExpression"] == "cron(0 3 * * ? *)"
    assert (schedule["ScheduleExpressionTimezone"], schedule["State"]) == ("UTC", "ENABLED")
    assert schedule["Target"]["Arn"] == deployed.stacks.outputs["Settlement"]


def test_a_run_is_skipped_while_another_is_going_on(deployed: Deployment) -> None:
    """The endpoint has no containers, so the first run does not get beyond its task."""
    machines, machine = client("stepfunctions", deployed.url), deployed.stacks.outputs["Settlement"]

    def entered(execution: str) -> list[str]:
        events = machines.get_execution_history(executionArn=execution)["events"]
        return [e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e]

    first = machines.start_execution(stateMachineArn=machine)["executionArn"]
    wait_for(lambda: "Settle" in entered(first))
    second = machines.start_execution(stateMachineArn=machine)["executionArn"]
    wait_for(lambda: machines.describe_execution(executionArn=second)["status"] != "RUNNING")
    assert machines.describe_execution(executionArn=second)["status"] == "SUCCEEDED"
    assert entered(second) == ["List runs", "Is another run going on?", "Skip: another run has not ended"]
    machines.stop_execution(executionArn=first)
