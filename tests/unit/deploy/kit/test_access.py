"""Hostile, oversized and too many requests get 4xx, never an error of the function; every route requires a role."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.alerting.runtime import api as alerts_api
from deploy.alerting.runtime import context
from deploy.alerting.runtime.table import AlertTable
from deploy.api.infrastructure import ALERT_ROUTES, QUERY_ROUTES
from deploy.api.runtime import api as queries_api
from deploy.api.runtime.last_values_reader import LastValuesReader
from deploy.api.runtime.query_table import QueryTable
from deploy.kit.access import EDITOR, OPERATOR, VIEWER, caller_of
from deploy.kit.athena import AthenaClient
from deploy.kit.documents import MAX_DEPTH, DocumentError, read_document
from tests.harness.api_events import CHIEF, answer, claims_of, request

ROUTES = [*((alerts_api, r) for r in ALERT_ROUTES), *((queries_api, r) for r in QUERY_ROUTES)]
DEEP = "[" * 10_000 + "]" * 10_000


def client(service: str) -> Any:
    return boto3.client(service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> dict[str, Stubber]:
    """Both functions with stubbed clients, which fail on calls for which a test has added no response."""
    clients = {name: client(name) for name in ("dynamodb", "athena")}
    stubs = {name: Stubber(made) for name, made in clients.items()}
    table = AlertTable(clients["dynamodb"], "t")
    monkeypatch.setattr(context, "table", lambda tenant="default": table)
    monkeypatch.setattr(queries_api, "query_table", lambda: QueryTable(clients["dynamodb"], "t"))
    monkeypatch.setattr(queries_api, "athena", lambda: AthenaClient(clients["athena"], "w", "d"))
    monkeypatch.setattr(queries_api, "last_values", lambda: LastValuesReader(clients["dynamodb"], "t"))
    for stub in stubs.values():
        stub.activate()
    return stubs


@pytest.mark.parametrize(("function", "route"), ROUTES, ids=[route for _, route in ROUTES])
def test_every_route_requires_a_role(function: Any, route: str) -> None:
    method, path = route.split(" ")
    filled = path.replace("{", "").replace("}", "")
    for groups in ([], [""], ["strangers"], ["xeditors", "viewers2"]):
        claims = {**CHIEF, "cognito:groups": f"[{' '.join(groups)}]"}
        status, document, _ = answer(function.handler, request(method, filled, claims, {}))
        assert (status, "role" in document["message"]) == (403, True)
    if function is alerts_api and method == "POST":
        status, document, _ = answer(function.handler, request(method, filled, claims_of("v", "*", VIEWER), {}))
        assert (status, OPERATOR in document["message"]) == (403, True)


def test_roles_include_the_previous_ones() -> None:
    for role, may in ((VIEWER, 1), (OPERATOR, 2), (EDITOR, 3)):
        caller = caller_of(claims_of("x", "*", role))
        assert [caller.has(r) for r in (VIEWER, OPERATOR, EDITOR)] == [n < may for n in range(3)]
    # The local endpoint and other issuers pass a list.
    assert caller_of({"cognito:groups": ["viewers", "operators"]}).roles == {"viewers", "operators"}
    assert caller_of({"cognito:groups": "[viewers operators]"}).roles == {"viewers", "operators"}
    assert not caller_of({}).roles


def test_the_tenant_is_that_of_the_token() -> None:
    assert caller_of({}).tenant == "default"
    assert caller_of({"custom:tenant": "acme"}).tenant == "acme"
    for bad in ("a b", "a\x1fb", "../x", "x" * 33, "a#b", "A"):
        status, _, _ = answer(alerts_api.handler, request("GET", "/alerts", {**CHIEF, "custom:tenant": bad}))
        assert status == 403


BODIES = [
    *("{", "[]", '"x"', "nul", DEEP, '{"a":' * 900 + "1" + "}" * 900, '{"note": "\\ud800"}', '{"note": "a\\u0000b"}'),
    *('{"minutes": ' + "9" * 5000 + "}", '{"minutes": 1e999}', '{"minutes": NaN}', '{"minutes": -Infinity}'),
    *(
        '{"minutes": 1e40}',
        '{"minutes": true}',
        '{"to": {"a": 1}}',
        '{"note": ["x"]}',
        '{"note": "' + "x" * 70_000 + '"}',
    ),
    *('{"question": ["costs"]}', '{"question": "costs", "parameters": [1]}', "\ufeff{}", "{}{}", "\x00"),
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("path", ["/alerts/a/snooze", "/alerts/a/comment", "/alerts/a/assign", "/queries"])
def test_invalid_bodies_get_400(services: dict[str, Stubber], path: str, body: str) -> None:
    function = queries_api if path == "/queries" else alerts_api
    if path.endswith("comment") and body == '{"to": {"a": 1}}':
        body = "{}"
    status, document, _ = answer(function.handler, request("POST", path, CHIEF, body))
    assert status == 400, document


LONG = "x" * 3000


@pytest.mark.parametrize(
    ("function", "method", "path", "query", "status"),
    [
        (alerts_api, "GET", f"/alerts/{LONG}", {}, 404),
        (alerts_api, "POST", f"/alerts/{LONG}/ack", {}, 404),
        (alerts_api, "GET", "/alerts/a\x00b", {}, 404),
        (alerts_api, "GET", "/alerts", {"site": LONG}, 400),
        (alerts_api, "GET", "/alerts", {"site": "a\x00"}, 400),
        (alerts_api, "GET", "/alerts", {"status": LONG}, 400),
        (alerts_api, "GET", "/alerts", {"site": "z", "next": "{}"}, 400),
        (alerts_api, "GET", "/alerts", {"site": "z", "next": "9" * 200}, 400),
        (alerts_api, "GET", "/alerts", {"site": "z", "next": "1." + "y" * 250}, 400),
        (alerts_api, "GET", "/alerts", {"site": "z", "next": '{"pk":"A#x","sk":1e999,"site_status":"z#open"}'}, 400),
        (queries_api, "GET", f"/queries/{LONG}", {}, 404),
        (queries_api, "POST", f"/queries/{LONG}/stop", {}, 404),
        (queries_api, "GET", f"/meters/{LONG}/last-values", {}, 404),
    ],
)
def test_invalid_names_and_cursors_get_4xx(
    services: dict[str, Stubber], function: Any, method: str, path: str, query: dict[str, str], status: int
) -> None:
    assert answer(function.handler, request(method, path, CHIEF, {} if method == "POST" else None, query))[0] == status


QUERY = {
    "query_id": {"S": "q"},
    "owner": {"S": CHIEF["sub"]},
    "sites": {"L": [{"S": "*"}]},
    "question": {"S": "costs"},
    "fingerprint": {"S": "f"},
    "execution": {"S": "e-1"},
    "expires_s": {"N": "1"},
}


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ThrottlingException", "LimitExceededException"])
def test_athena_throttling_is_429(services: dict[str, Stubber], code: str) -> None:
    services["dynamodb"].add_response("get_item", {"Item": QUERY})
    services["athena"].add_client_error("get_query_execution", code)
    status, document, headers = answer(queries_api.handler, request("GET", "/queries/q", CHIEF))
    assert (status, headers["retry-after"]) == (429, "5"), document


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "RequestLimitExceeded"])
def test_throttling_of_dynamodb_is_429(services: dict[str, Stubber], code: str) -> None:
    services["dynamodb"].add_client_error("get_item", code)
    assert answer(alerts_api.handler, request("GET", "/alerts/a", CHIEF))[0] == 429


def test_a_value_that_dynamodb_refuses_is_400(services: dict[str, Stubber]) -> None:
    services["dynamodb"].add_client_error("query", "ValidationException")
    assert answer(alerts_api.handler, request("GET", "/alerts", CHIEF, query={"site": "z"}))[0] == 400


@pytest.mark.parametrize("code", ["InvalidRequestException"])
def test_a_cursor_that_athena_refuses_is_400(services: dict[str, Stubber], code: str) -> None:
    services["dynamodb"].add_response("get_item", {"Item": QUERY})
    execution = {"QueryExecution": {"Status": {"State": "SUCCEEDED"}}}
    services["athena"].add_response("get_query_execution", execution)
    services["athena"].add_client_error("get_query_results", code)
    status, document, _ = answer(queries_api.handler, request("GET", "/queries/q", CHIEF, query={"next": "?"}))
    assert (status, "earlier page" in document["message"]) == (400, True)


def test_errors_of_the_deployment_are_not_mapped(services: dict[str, Stubber]) -> None:
    """A missing permission must be visible to operators."""
    services["dynamodb"].add_client_error("get_item", "AccessDeniedException")
    with pytest.raises(Exception, match="AccessDenied"):
        alerts_api.handler(request("GET", "/alerts/a", CHIEF), None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5), inner, max_size=4
    ),
    max_leaves=15,
)  # fmt: skip


@given(json_values)
@settings(max_examples=200, deadline=None)
def test_a_document_within_the_limits_equals_json_loads(value: Any) -> None:
    text = json.dumps(value)
    try:
        found = read_document(text, 100_000)
    except DocumentError as error:
        assert "levels deep" in str(error)
        return
    assert found == json.loads(text)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=500, deadline=None)
def test_any_bytes_raise_nothing_but_document_error(content: bytes) -> None:
    try:
        read_document(content, 50)
    except DocumentError as error:
        assert len(str(error)) < 400


def test_limits_of_a_document() -> None:
    within = "[" * (MAX_DEPTH - 1) + "1" + "]" * (MAX_DEPTH - 1)
    assert read_document(within, 1000)
    for beyond in ("[" * 50 + "]" * 50, "[" * 2_000_00, '{"a": 1' + "0" * 50 + "}", "1." + "3" * 60, "1e400"):
        with pytest.raises(DocumentError):
            read_document(beyond, 1_000_000)
