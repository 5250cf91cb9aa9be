"""Client for Athena queries: start once per token, poll, read pages, stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

PAGE_ROWS = 500
RUNNING = ("QUEUED", "RUNNING")
POLL_S = 0.5


class AnswerError(RuntimeError):
    """A query that failed or timed out; the message is Athena's reason."""


class AthenaClient:
    """Queries in one workgroup and database; `client` is a boto3 client of Athena."""

    def __init__(self, client: Any, workgroup: str, database: str) -> None:
        self._client, self._workgroup, self._database = client, workgroup, database

    def start(self, sql: str, parameters: Sequence[str], token: str) -> str:
        """Start a query and return its execution id. A token that was used before starts no second query."""
        answer = self._client.start_query_execution(
            QueryString=sql,
            **({"ExecutionParameters": list(parameters)} if parameters else {}),
            ClientRequestToken=token,
            QueryExecutionContext={"Database": self._database},
            WorkGroup=self._workgroup,
        )
        return str(answer["QueryExecutionId"])

    def status(self, execution: str) -> dict[str, Any]:
        """The state of a query, the reason of a failure, the bytes scanned and the run time [ms]."""
        found = self._client.get_query_execution(QueryExecutionId=execution)["QueryExecution"]
        statistics = found.get("Statistics") or {}
        return {
            "status": found["Status"]["State"].lower(),
            "reason": found["Status"].get("StateChangeReason"),
            "scanned_bytes": statistics.get("DataScannedInBytes"),
            "ran_ms": statistics.get("TotalExecutionTimeInMillis"),
        }

    def page(self, execution: str, following: str | None) -> tuple[list[str], list[list[str | None]], str | None]:
        """(columns, rows, token of the next page) of a query that has succeeded."""
        # The first row of Athena's first page holds the column names.
        more = {"NextToken": following} if following else {}
        limit = PAGE_ROWS if following else PAGE_ROWS + 1
        answer = self._client.get_query_results(QueryExecutionId=execution, MaxResults=limit, **more)
        found = answer["ResultSet"]
        columns = [column["Name"] for column in found["ResultSetMetadata"]["ColumnInfo"]]
        rows = [[cell.get("VarCharValue") for cell in row["Data"]] for row in found["Rows"]]
        return columns, rows if following else rows[1:], answer.get("NextToken")

    def answer(
        self,
        sql: str,
        parameters: Sequence[str],
        token: str,
        limit_s: float,
        wait: Callable[[float], None] = time.sleep,
    ) -> list[dict[str, str | None]]:
        """Run a query, wait at most `limit_s` and return the first page of its rows. Raises AnswerError."""
        execution, waited = self.start(sql, parameters, token), 0.0
        while (status := self.status(execution))["status"].upper() in RUNNING:
            if waited >= limit_s:
                raise AnswerError(f"no answer within {limit_s:.0f} s")
            wait(POLL_S)
            waited += POLL_S
        if status["status"] != "succeeded":
            raise AnswerError(str(status["reason"]))
        columns, rows, _ = self.page(execution, None)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def stop(self, execution: str) -> None:
        """Stop a query; a query that has ended is unchanged."""
        self._client.stop_query_execution(QueryExecutionId=execution)


def literal(value: str) -> str:
    """A text as a SQL string literal, the form in which Athena takes execution parameters."""
    return "'" + value.replace("'", "''") + "'"
