"""Quotas of the query API, with the table at the emulated endpoint."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.api.runtime.quota import DAY_S, Limits, Quota
from deploy.kit.access import LimitError
from deploy.local.endpoint import endpoint, free_port
from flink_job.io.kinesis import client

NOW_S = 20_000 * DAY_S + 100


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with endpoint(tmp_path_factory.mktemp("endpoint") / "endpoint.log", free_port()) as url:
        client("dynamodb", url).create_table(
            TableName="queries",
            KeySchema=[{"AttributeName": "query_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "query_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield url


def test_queries_bytes_and_concurrent_queries(url: str) -> None:
    quota = Quota(client("dynamodb", url), "queries", Limits(queries=5, scanned_bytes=100, at_once=2))
    ended: dict[str, int] = {}

    def take(query_id: str, who: str = "ana", now_s: int = NOW_S) -> None:
        quota.take(who, query_id, now_s, ended.get)

    take("a")
    take("a")  # the same query takes no slot
    take("b")
    with pytest.raises(LimitError, match="2 of your queries are running") as refused:
        take("c")
    assert refused.value.retry_s < 60
    take("a", who="ben")  # a different caller
    ended |= {"a": 30, "b": 30}
    take("c")
    take("d")
    quota.release("ana", "d")
    ended |= {"c": 30}
    take("e")
    ended |= {"e": 5}
    with pytest.raises(LimitError, match="5 queries per day") as refused:
        take("f")
    assert refused.value.retry_s == DAY_S - 100
    take("f", now_s=NOW_S + DAY_S)
    ended |= {"f": 101}
    with pytest.raises(LimitError, match="GB per day"):
        take("g", now_s=NOW_S + DAY_S)
