"""The synthesised templates at the local endpoint: delivery, catalogue, Athena, the API, files, last values."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.lake.catalog import views
from deploy.local.endpoint import endpoint, free_port
from deploy.local.people import PASSWORD, call
from deploy.settings import environment_named
from flink_job.batch.receipt import read_receipt
from flink_job.io.kinesis import client
from flink_job.lake.queries import saved_queries
from flink_job.metering.framing import readings_in
from flink_job.schemas import OUTPUTS
from tests.harness.deployment import DAYS, NAMES, READINGS, SITES, Deployment, wait_for
from tests.harness.jobs import command
from tests.harness.sentry import receiver
from tests.harness.sign_in import Browser

PERIOD = {"from": DAYS[0], "to": DAYS[1]}

#: What is in the templates and cannot be tried at the endpoint.
NOT_TRIED = {
    "Managed Flink": "the endpoint keeps the application and runs no job; `make rehearse` does, on a cluster",
    "containers of uploaded files": "the endpoint has no containers; their command is run below, outside one",
    "IoT rules into Kinesis": "the endpoint's rules know no Kinesis action",
    "permissions of services": "the endpoint asks for those of functions; tests/deploy/test_calls.py looks at all",
    "saved queries, budgets, flow logs, alarms on expressions": "the endpoint's CloudFormation has no such kinds",
    "email and text messages": "the endpoint takes them and delivers none",
}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with endpoint(tmp_path_factory.mktemp("endpoint") / "endpoint.log", free_port()) as url:
        yield Deployment(url)


@pytest.mark.parametrize("what", NOT_TRIED)
def test_at_the_endpoint(what: str) -> None:
    pytest.skip(NOT_TRIED[what])


def test_rows_lie_by_the_date_of_their_event(deployed: Deployment) -> None:
    folders = {key.rsplit("/", 1)[0].split("/")[1] for key in deployed.keys("costs/")}
    assert folders == {f"event_date={day}" for day in DAYS}
    [[rows]] = deployed.ask(f"SELECT COUNT(*) FROM costs WHERE event_date = '{DAYS[0]}'")
    assert rows == str(2 * READINGS)


def test_a_repeated_row_is_in_the_table_and_not_in_the_view(deployed: Deployment) -> None:
    assert deployed.ask("SELECT COUNT(*) FROM costs_rows") == [[str(4 * READINGS + 5)]]
    assert deployed.ask("SELECT COUNT(*), SUM(cost) FROM costs") == [
        [str(4 * READINGS), f"{4 * READINGS * 0.0123:.6f}"]
    ]


def test_what_cannot_be_converted_lies_in_the_error_prefix(deployed: Deployment) -> None:
    client("firehose", deployed.url).put_record(
        DeliveryStreamName=NAMES.delivery("duplicates"), Record={"Data": b'{"s": 17, "m": "x"}'}
    )
    wait_for(lambda: bool(deployed.keys("errors/duplicates/")))
    [key] = deployed.keys("errors/duplicates/")
    failed = json.loads(client("s3", deployed.url).get_object(Bucket=NAMES.lake, Key=key)["Body"].read())
    assert failed["rawData"]


@pytest.mark.parametrize("name", [name for name, _ in views()])
def test_every_view_answers_in_athena(deployed: Deployment, name: str) -> None:
    deployed.ask(f"SELECT * FROM {name} LIMIT 3")


@pytest.mark.parametrize("question", saved_queries().values(), ids=lambda q: q.id)
def test_every_saved_query_runs(deployed: Deployment, question: Any) -> None:
    deployed.ask(question.sql)


def test_kpis_of_a_line_are_its_meters_readings(deployed: Deployment) -> None:
    sql = "SELECT entity, cost, mean_kw FROM kpis_1h WHERE level = 'line' AND site = 'pune' AND event_date = '{}'"
    # Ten hours of 60 readings: 60 * 0.1 kWh are 6 kW for an hour, 60 * 0.0123 of cost.
    assert deployed.ask(sql.format(DAYS[0])) == [["pune/casting/line-1", "0.738000", "6.0"]] * 10


def test_nobody_asks_without_a_token(deployed: Deployment) -> None:
    for path, body in (("/questions", None), ("/queries", {}), ("/queries/x", None), ("/meters/m/last-values", None)):
        assert deployed.call("", path, body)[0] == 401


def test_the_catalogue_tells_what_can_be_asked(deployed: Deployment) -> None:
    status, answer = deployed.call("ana", "/questions")
    assert status == 200
    assert {"costs", "bills", "hours", "alerts"} <= set(answer["questions"])


def test_pages_add_up_to_the_answer(deployed: Deployment) -> None:
    status, query_id = deployed.query("ana", "costs", **PERIOD)
    assert status == 202
    rows = deployed.rows("ana", query_id)
    assert len(rows) == len({(r["meter_id"], r["interval_start"]) for r in rows}) == 2 * READINGS
    assert {r["site_path"].split("/")[0] for r in rows} == {"zaragoza"}


@given(
    who=st.sampled_from(["ana", "ravi", "both", "guest"]),
    question=st.sampled_from(["daily_costs", "bills", "hours"]),
    site=st.sampled_from(["", "zaragoza", "pune", "zaragoza' OR '1'='1", "*", "%"]),
    meter=st.sampled_from(["", "pune-m0", "zaragoza-m1", "x' OR 1=1 --", "x') OR ('1'='1"]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_nobody_sees_another_site(deployed: Deployment, who: str, question: str, site: str, meter: str) -> None:
    more = {"level": "meter", "entity": meter} if question == "hours" else {"meter": meter}
    period = {"from": "2026-03-01", "to": "2026-03-31"}
    status, answer = deployed.query(who, question, site=site, **period, **more)
    mine = set(SITES[who].split(",")) - {""}
    if site and site not in mine:
        assert status == 403
        return
    assert status == 202, answer
    name = "entity" if question == "hours" else "meter_id"
    meters = {row[name] for row in deployed.rows(who, answer)}
    sites = {meter_id.split("-")[0] for meter_id in meters}
    assert sites <= ({site} if site else mine)
    assert not meter or meters <= {meter}
    if not meter:
        assert sites == ({site} if site else mine)


def test_a_query_is_its_owners_alone(deployed: Deployment) -> None:
    _, query_id = deployed.query("ana", "daily_costs", **PERIOD)
    for who in ("ravi", "both", "chief"):
        assert deployed.call(who, f"/queries/{query_id}")[0] == 404
        assert deployed.call(who, f"/queries/{query_id}/stop", {})[0] == 404
    assert deployed.call("ana", f"/queries/{query_id}/stop", {})[0] == 200


def test_asking_again_with_the_same_key_asks_once(deployed: Deployment) -> None:
    body = {"question": "daily_costs", "parameters": PERIOD}
    first, again = (deployed.call("ana", "/queries", body, key="k-1") for _ in range(2))
    assert first == again
    assert first[0] == 202
    other = {"question": "daily_costs", "parameters": {**PERIOD, "meter": "zaragoza-m1"}}
    assert deployed.call("ana", "/queries", other, key="k-1")[0] == 409
    # Somebody else's key of the same name is another key.
    assert deployed.call("ravi", "/queries", body, key="k-1")[1] != first[1]


@pytest.mark.parametrize(
    "body",
    [{}, [], {"question": "everything"}, {"question": "costs"}, {"question": "costs", "parameters": {"from": "x"}}],
    ids=str,
)
def test_what_cannot_be_asked_is_refused_with_a_reason(deployed: Deployment, body: Any) -> None:
    status, answer = deployed.call("ana", "/queries", body)
    assert status == 400
    assert answer["message"]


def test_the_last_values_of_a_meter(deployed: Deployment) -> None:
    kinesis = client("kinesis", deployed.url)
    start_ms = int(time.time()) // 300 * 300_000 - 600_000
    contract = {
        "meter_id": "lv-1",
        "site_path": "zaragoza/p/l/lv-1",
        "timezone": "UTC",
        "assignments": [{"tariff_id": "t", "valid_from": "2026-01-01"}],
    }
    first = {"meter_id": "lv-1", "interval_start": start_ms, "interval_s": 300, "energy_kwh": 1}
    corrected = {**first, "revision": 1, "energy_kwh": 2}
    later = {**first, "interval_start": start_ms + 300_000, "energy_kwh": 3}
    for stream, record in (
        (NAMES.contracts, contract),
        *((NAMES.readings, r) for r in (later, corrected, first, first, {"not": "a reading"})),
    ):
        kinesis.put_record(StreamName=stream, Data=json.dumps(record).encode(), PartitionKey="lv-1")
    path = "/meters/lv-1/last-values"
    wait_for(lambda: len((deployed.call("ana", path)[1] or {}).get("values", ())) == 3)
    status, answer = deployed.call("ana", path)
    assert (status, answer["site"]) == (200, "zaragoza")
    # Newest first; of an interval the highest revision first; the repeat is the same item.
    assert [value["energy_kwh"] for value in answer["values"]] == [3, 2, 1]
    assert deployed.call("ravi", path)[0] == 404
    assert deployed.call("guest", path)[0] == 404
    assert deployed.call("ana", "/meters/nobody/last-values")[0] == 404


def test_an_uploaded_file_is_published_with_a_receipt(deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint has no containers, so the task's command is run here."""
    s3, machines = client("s3", deployed.url), client("stepfunctions", deployed.url)
    start_s = int(time.time()) // 900 * 900 - 3600
    rows = "".join(f"up-1,{1000 * (start_s + 900 * n)},900,{n}\n" for n in range(3))
    s3.put_object(Bucket=NAMES.uploads, Key="other/x.csv", Body=b"x")
    body = f"meter_id,ts,interval_s,kwh\n{rows}up-1,yesterday,900,1\n".encode()
    s3.put_object(Bucket=NAMES.uploads, Key="inbox/acme/march.csv", Body=body)
    machine = deployed.stacks.outputs["Machine"]
    wait_for(lambda: bool(machines.list_executions(stateMachineArn=machine)["executions"]))
    [execution] = machines.list_executions(stateMachineArn=machine)["executions"]

    def commands() -> list[list[str]]:
        history = machines.get_execution_history(executionArn=execution["executionArn"])["events"]
        outputs = [e["stateExitedEventDetails"]["output"] for e in history if "stateExitedEventDetails" in e]
        return [json.loads(output)["command"] for output in outputs if "command" in json.loads(output)]

    wait_for(lambda: bool(commands()))
    monkeypatch.setenv("AWS_ENDPOINT_URL", deployed.url)
    assert "already published" not in command(*commands()[0])
    digest = hashlib.sha256(body).hexdigest()
    uri = f"s3://{NAMES.uploads}/receipts/acme/march.csv.{digest[:16]}.json"
    receipt = read_receipt(uri)
    assert (receipt.rows, receipt.taken, receipt.published, receipt.tenant) == (4, 3, 3, "acme")
    assert [(row.line, row.reason) for row in receipt.refused_rows] == [("5", "bad_timestamp")]
    assert sum(record.readings for record in receipt.records) == 3
    assert "already published" in command(*commands()[0])
    found = [record for record in records_in(deployed.url, NAMES.readings) if record[1].startswith("upload-")]
    assert [position for position, _, _ in found] == [record.position for record in receipt.records]
    held = [enclosed for _, _, data in found for enclosed in readings_in(data)]
    assert [enclosed.tenant for enclosed in held] == ["acme"] * 3
    assert [json.loads(enclosed.payload)["signed_kwh"] for enclosed in held] == ["0", "1", "2"]


def records_in(url: str, stream: str) -> list[tuple[str, str, bytes]]:
    """(position, partition key, bytes) of every record of a stream."""
    kinesis, found = client("kinesis", url), []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        at = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
        records = kinesis.get_records(ShardIterator=at, Limit=10_000)["Records"]
        found += [(r["SequenceNumber"], r["PartitionKey"], r["Data"]) for r in records]
    return found


def test_the_job_reads_the_dsn_from_the_secret(deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    from flink_job.config import read_settings
    from flink_job.sentry import destination_from_settings

    monkeypatch.setenv("AWS_ENDPOINT_URL", deployed.url)
    secrets = client("secretsmanager", deployed.url)
    arn = secrets.create_secret(Name="sentry", SecretString="https://key@errors.example/1")["ARN"]
    outputs = dict.fromkeys(OUTPUTS, "x")
    groups = {"readings": {"stream": "r"}, "contracts": {"stream": "c"}, "outputs": outputs, "tariffs": {"uri": "t"}}
    assert (
        destination_from_settings(read_settings({**groups, "job": {"sentry_secret": arn}})).resolve_dsn()
        == "https://key@errors.example/1"
    )
    # A secret that is gone keeps no job from running.
    assert destination_from_settings(read_settings({**groups, "job": {"sentry_secret": arn + "x"}})).resolve_dsn() == ""
    assert (
        destination_from_settings(read_settings({**groups, "job": {"sentry_dsn": "https://given"}})).resolve_dsn()
        == "https://given"
    )


def test_a_function_reports_its_errors_with_the_secret_of_its_variable(deployed: Deployment) -> None:
    """The deployed code, in the endpoint's own process of the function, with a permission on that secret alone."""
    functions, name = client("lambda", deployed.url), f"{NAMES.prefix}-contracts-keeper"
    with receiver() as received:
        secret = client("secretsmanager", deployed.url).create_secret(Name="errors", SecretString=received.dsn)["ARN"]
        found = functions.get_function_configuration(FunctionName=name)
        statement = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret}
        client("iam", deployed.url).put_role_policy(
            RoleName=found["Role"].rpartition("/")[2],
            PolicyName="errors",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        before = found["Environment"]["Variables"]
        variables = {**before, "SENTRY_SECRET": secret, "DEPLOYMENT": NAMES.prefix}
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        payload = json.dumps({"of": "ana@plant.example"}).encode()
        assert "FunctionError" in functions.invoke(FunctionName=name, Payload=payload)
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})
        assert "FunctionError" in functions.invoke(FunctionName=name, Payload=payload)
    [event] = received.events
    assert [value["type"] for value in event["exception"]["values"]] == ["KeyError"]
    assert (event["environment"], event["tags"]) == (NAMES.prefix, {"part": name})
    assert b"ana@" not in b"".join(received.envelopes)


def test_people_sign_in_at_a_page_and_get_a_token_for_the_api(deployed: Deployment) -> None:
    """A stolen code is worth nothing without its verifier, and nobody is sent back to a foreign page."""
    browser = Browser(deployed.url, deployed.api.client_id, environment_named("local").console_urls[0])
    assert "<form" in browser.page()[1]
    assert browser.page(redirect_uri="https://thief.example/")[0] == 400
    assert browser.token(browser.code("ana@plant.example", PASSWORD), "x" * 64)[0] == 400
    status, tokens = browser.token(browser.code("ana@plant.example", PASSWORD), browser.verifier)
    assert status == 200
    assert call(deployed.api, tokens["id_token"], "/questions")[0] == 200
