"""The shape of the project: pure code stays pure, one schema feeds all, the jar has what it must."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deploy.lake.catalog import glue_table, view_columns
from flink_job.dataflow.ddl import sink_body
from flink_job.dataflow.sql import read_sql
from flink_job.lake.views import VIEWS, View
from flink_job.schemas import OUTPUTS

ROOT = Path(__file__).resolve().parents[2]
PURE = (
    "flink_job.metering.reading",
    "flink_job.metering.contract",
    "flink_job.tariffs.rating",
    "flink_job.tariffs.history",
    "flink_job.tariffs.explain",
    "flink_job.tariffs.resolve",
    "flink_job.tariffs.series",
    "flink_job.tariffs.spain",
    "flink_job.tariffs.urdb",
    "flink_job.billing.run",
    "flink_job.commands.rate",
    "flink_job.billing.rerate",
    "flink_job.billing.explain_lake",
    "flink_job.commands.explain",
    "flink_job.billing.contract_power",
    "flink_job.commands.optimise",
    "flink_job.alerts.document",
    "flink_job.alerts.state_machine",
    "flink_job.alerts.prefilter",
    "flink_job.alerts.no_data",
    "flink_job.alerts.rows",
    "flink_job.config",
    "flink_job.schemas",
    "flink_job.dataflow.ddl",
    "flink_job.lake.database",
)
INSERTED = {
    "costs": "price/costs",
    "kpis": "kpis/kpis",
    "alerts": "alerts/found_alerts",
    "rejected": "resolve/rejected",
    "unpriced": "resolve/unpriced",
    "duplicates": "revise/duplicates",
    "measurements": "measurements/measurements",
    "register_reads": "registers/register_reads",
    "contract_changes": "contracts/contract_changes",
}


def test_pure_packages_do_not_import_pyflink() -> None:
    code = f"import sys, {', '.join(PURE)}; sys.exit('pyflink' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_alerting_functions_stand_alone() -> None:
    """They are deployed without the rest of the project."""
    entries = ", ".join(f"deploy.alerting.runtime.{name}" for name in ("notifier", "sweeper", "api"))
    code = f"import sys, {entries}; sys.exit(any(m.split('.')[0] in ('flink_job', 'pyflink') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("output", sorted(INSERTED))
def test_an_output_view_has_the_columns_of_its_table_in_order(output: str) -> None:
    """INSERT goes by position: the names of the (first) SELECT must be those of the schema, in order."""
    text = re.sub(r"--.*", "", read_sql(INSERTED[output])).split("UNION ALL")[0]
    body, depth, items = text.strip().removeprefix("SELECT"), 0, [""]
    for token in re.split(r"([(),])|\b(FROM)\b", body):
        if token is None or (token == "FROM" and depth):
            items[-1] += token or ""
            continue
        if token == "FROM":
            break
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token == "," and depth == 0:
            items.append("")
        else:
            items[-1] += token
    names = [re.split(r"[\s.]", item.strip())[-1].strip("`") for item in items]
    assert names == [column.name for column in OUTPUTS[output].columns]


@pytest.mark.parametrize("table", OUTPUTS.values(), ids=lambda t: t.name)
def test_glue_and_ddl_have_the_same_columns(table) -> None:  # type: ignore[no-untyped-def]
    glue = [c["Name"] for c in glue_table(table, "b")["StorageDescriptor"]["Columns"]]
    ddl = re.findall(r"`(\w+)`", sink_body(table))
    assert glue == ddl == [c.name for c in table.columns]
    assert set(table.key) <= set(glue)


@pytest.mark.parametrize("view", VIEWS.values(), ids=lambda v: v.name)
def test_every_column_of_a_view_is_documented(view: View) -> None:
    columns = [column for column, _ in view_columns()[view.name]]
    assert sorted(columns) == sorted(view.columns)
    assert set(view.key) <= set(columns)


def test_the_jar_keeps_the_right_twins_and_every_factory() -> None:
    with zipfile.ZipFile(ROOT / "build" / "flink-dependencies.jar") as jar:
        factories = jar.read("META-INF/services/org.apache.flink.table.factories.Factory").decode()
        twin = jar.read("org/apache/flink/connector/aws/sink/throwable/AWSExceptionHandler.class")
    assert "KinesisDynamicTableFactory" in factories
    assert "KinesisFirehoseDynamicTableFactory" in factories
    assert "metering.flink.PackedSinkFactory" in factories
    # aws-base's class, which knows Firehose's exceptions: it does not refer to the SDK that the Kinesis jar relocated.
    assert b"org/apache/flink/kinesis-streams/shaded" not in twin
    assert b"org/apache/flink/kinesis/shaded" not in twin


def test_logs_are_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    import logging

    from flink_job.logs import configure_logging

    configure_logging()
    logging.getLogger("flink_job.test").info("started", extra={"records": 3})
    line = json.loads(capsys.readouterr().err)
    assert (line["message"], line["records"], line["level"]) == ("started", 3, "INFO")


def test_the_base_of_the_image_is_named_by_its_digest() -> None:
    lines = (ROOT / "deploy" / "batch" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    bases = [line for line in lines if line.startswith("FROM ")]
    assert bases
    assert all(re.fullmatch(r"FROM \S+:\S+@sha256:[0-9a-f]{64}", line) for line in bases)
