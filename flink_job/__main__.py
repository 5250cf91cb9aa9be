"""`python -m flink_job`: runs the job, queries its outputs, finds gaps, and publishes stored records again."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from flink_job.commands import rate as rating
from flink_job.commands.alerts import commands as alerts_commands
from flink_job.commands.console import counted, note
from flink_job.commands.console import fail as _fail
from flink_job.commands.contracts import commands as contracts_commands
from flink_job.commands.explain import explain
from flink_job.commands.imports import import_files
from flink_job.commands.optimise import optimise_contract
from flink_job.commands.period import From, To, day_of
from flink_job.commands.settle import settle
from flink_job.commands.supplies import shares
from flink_job.commands.tariffs import commands as tariffs_commands
from flink_job.commands.uploads import commands as uploads_commands
from flink_job.config import ConfigError, Job, load_settings, properties_path
from flink_job.logs import configure_logging
from flink_job.sentry import destination_from_environment, report_errors
from flink_job.tenants import DEFAULT, RIGHT, is_tenant
from flink_job.version import NAME, version

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("import")(import_files)
app.command("rate")(rating.rate)
app.command("compare")(rating.compare)
app.command("settle")(settle)
app.command("rerate", hidden=True)(settle)  # its name in earlier releases
app.command("explain")(explain)
app.command("optimise-contract")(optimise_contract)
app.command("shares")(shares)
app.add_typer(tariffs_commands, name="tariffs")
app.add_typer(contracts_commands, name="contracts")
app.add_typer(alerts_commands, name="alerts")
app.add_typer(uploads_commands, name="uploads")


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"{NAME} {version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Costs for electricity readings that add up to the bill."""


Lake = Annotated[str, typer.Argument(help="Output of a run: a folder, or s3://bucket.")]


@app.command()
def run(
    input: Annotated[
        list[str] | None, typer.Option(help="NDJSON, CSV with a header or Parquet; also .gz and s3://.")
    ] = None,
    contracts: Annotated[list[str] | None, typer.Option(help="NDJSON of contracts.")] = None,
    tariffs: Annotated[str, typer.Option(help="Folder (or s3:// prefix) of tariff documents.")] = "",
    rules: Annotated[str, typer.Option(help="Alert rules, YAML or JSON (a file or s3:// object).")] = "",
    output: Annotated[str, typer.Option(help="Folder (or s3:// prefix) for the Parquet tables.")] = "",
    tenant: Annotated[str, typer.Option(help="Tenant of the files; contracts may name another.")] = DEFAULT,
    state_dir: Annotated[Path, typer.Option(help="Checkpoints, savepoints and logs of a stream run.")] = Path(
        "build/state"
    ),
    savepoint: Annotated[str, typer.Option(help="Savepoint to restore a stream run from.")] = "",
    max_rejected: Annotated[
        float | None, typer.Option(min=0, max=100, help="Percent of rejected readings above which the exit code is 3.")
    ] = None,
) -> None:
    """Run the job on files, or from Kinesis.

    With --input: a bounded run from files to Parquet, without AWS. File order is the order of arrival. Exit codes:
    0 done, 1 records are missing, 2 an input cannot be read, 3 no reading has a cost, or too many were rejected.

    \b
      python -m flink_job run --input sample_data/readings.ndjson.gz \\
        --contracts sample_data/contracts.ndjson --tariffs sample_data/tariffs \\
        --output out

    Without: a stream run from Kinesis on a local mini-cluster until SIGTERM, with the properties file of Managed Flink.

    \b
      APPLICATION_PROPERTIES=application_properties.json python -m flink_job run
    """
    if find_spec("pyflink") is None:
        _fail("Flink is not installed: run pip install 'meter-costing[job]'. A JDK, 11 or 17, is also required.")
    configure_logging()
    if input:
        with report_errors(destination_from_environment().resolve_dsn(), "files"):
            _run_files(input, contracts or [], tariffs, rules, output, tenant, max_rejected)
        return
    from flink_job.main import run_local

    try:
        settings = load_settings(properties_path())
    except ConfigError as error:
        _fail(str(error))
    with report_errors(settings.job.sentry_dsn, "main"):
        run_local(settings, state_dir.resolve(), savepoint)


def _run_files(
    inputs: list[str],
    contracts: list[str],
    tariffs: str,
    rules: str,
    output: str,
    tenant: str,
    max_rejected: float | None,
) -> None:
    from flink_job.alerts.registry import open_rule_registry
    from flink_job.batch.run import batch_settings, run_bounded
    from flink_job.commands.run_report import USELESS, BatchProgress, doubts_of_run, print_account, print_fault
    from flink_job.dataflow.environment import MissingJarError
    from flink_job.imports.accept import accepted
    from flink_job.imports.model import FileError
    from flink_job.io.records import InputError
    from flink_job.io.remote import uploaded
    from flink_job.lake.database import LakeError
    from flink_job.tariffs.registry import open_registry

    missing = [
        name
        for name, value in {"--contracts": contracts, "--tariffs": tariffs, "--output": output}.items()
        if not value
    ]
    if not is_tenant(tenant):
        _fail(f"--tenant is {tenant!r}; it must be {RIGHT}")
    if missing:
        _fail(f"--input also requires {' and '.join(missing)}")
    try:
        if faults := open_registry(tariffs).faults:
            _fail("\n".join(faults.values()))
        job = Job(sentry_dsn=destination_from_environment().dsn, sentry_secret=destination_from_environment().secret)
        registry = open_rule_registry(rules, silence_s=job.silence_s)
        registry.refresh(0)
        if registry.fault:
            _fail(registry.fault)
        with TemporaryDirectory() as aside, BatchProgress() as progress, uploaded(output) as folder:
            files = accepted(inputs, Path(aside))
            for line in files.notes:
                note(line)
            account = run_bounded(files.names, contracts, batch_settings(tariffs, rules, job, tenant), folder, progress)
            unsure = doubts_of_run(folder)
    except (FileError, InputError, LakeError, MissingJarError, FileNotFoundError) as error:
        _fail(str(error))
    print_account(account, output)
    for line in unsure:
        note(line)
    if not account.closes:
        raise typer.Exit(1)
    if fault := account.fault(max_rejected):
        print_fault(fault, Path(output))
        raise typer.Exit(USELESS)


@app.command()
def query(
    lake: Lake,
    sql: Annotated[str, typer.Argument(help="SQL over the output tables and views.")],
    first: From = None,
    last: To = None,
) -> None:
    """Query the output tables and views with SQL.

    Tables (deduplicated): costs, kpis, alerts, rejected, unpriced, duplicates, measurements. Views: bills,
    kpis_15m, kpis_1h, kpis_1d, gaps, current_measurements, alert_episodes, alert_health. Columns are in
    docs/reference/tables.md.

    \b
      python -m flink_job query out "SELECT entity, window_start, cost
        FROM kpis_1d WHERE level = 'factory'"
    """
    import duckdb

    from flink_job.commands.run_report import print_rows
    from flink_job.io.remote import downloaded
    from flink_job.lake.database import LakeError, needed_tables, query
    from flink_job.lake.selection import Selection

    try:
        selection = Selection(needed_tables(sql), day_of(first), day_of(last))
        with downloaded(lake, selection) as folder:
            print_rows(*query(folder, sql, selection))
    except (LakeError, duckdb.Error) as error:
        _fail(str(error))


@app.command()
def gaps(lake: Lake, first: From = None, last: To = None) -> None:
    """Find missing readings.

    Lists every gap of at least one interval: between two readings of a meter, before its first and after its last,
    bounded by the readings of its site and by the hours in which the job expected readings; and meters with a contract
    that have never sent. Unpriced readings are not missing. The result is also written as table `gaps`. Between two
    readings, missing_sequences is the number of messages that the device counted.

    \b
      python -m flink_job gaps out
      python -m flink_job gaps s3://bucket --from 2026-03-01 --to 2026-03-07
    """
    from flink_job.commands.run_report import print_rows
    from flink_job.io.remote import downloaded, uploaded
    from flink_job.lake.database import LakeError, needed_tables, write_gaps
    from flink_job.lake.selection import Selection

    selection = Selection(needed_tables("SELECT * FROM gaps"), day_of(first), day_of(last))
    try:
        with downloaded(lake, selection) as folder, uploaded(f"{lake.rstrip('/')}/gaps") as target:
            columns, rows = write_gaps(folder, target, selection)
    except LakeError as error:
        _fail(str(error))
    if rows:
        print_rows(columns, rows)
    kinds = Counter(str(row[columns.index("kind")]) for row in rows)
    missing = sum(int(str(row[columns.index("missing_readings")])) for row in rows)
    print(
        f"{counted(len(rows), 'gap')}, {counted(missing, 'reading')} missing: "
        f"{kinds['between']:,} between two readings, {kinds['before_first']:,} before the first of a meter, "
        f"{kinds['after_last']:,} after the last, {kinds['never']:,} of meters that never sent"
    )


@app.command()
def redrive(
    kind: Annotated[str, typer.Argument(help="rejected or unpriced.")],
    lake: Annotated[
        str, typer.Option(help="Lake with the records; default: `lake` of the property group outputs.")
    ] = "",
    reason: Annotated[str, typer.Option(help="Only records with this reason.")] = "",
    since: Annotated[
        datetime | None, typer.Option(help="Only records that arrived at or after this time (UTC).")
    ] = None,
    first: From = None,
    last: To = None,
    out: Annotated[Path | None, typer.Option(help="Write the records to this file instead of the stream.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Only show the records that would be published.")] = False,
) -> None:
    """Publish rejected or unpriced records again.

    Use it after a contract or tariff has arrived, or after a fix. Duplicates are detected, so a second run changes
    nothing.

    \b
      python -m flink_job redrive unpriced --lake out --out again.ndjson
      python -m flink_job redrive rejected --reason no_offset --dry-run
    """
    from flink_job.io.kinesis import publish
    from flink_job.io.remote import downloaded
    from flink_job.lake.database import LakeError
    from flink_job.lake.redrive import REDRIVEN, selected, stored_records, summary

    if kind not in REDRIVEN:
        _fail(f"kind is {kind!r}; it must be one of {', '.join(REDRIVEN)}")
    try:
        settings = None if lake and (out or dry_run) else load_settings(properties_path())
        selection = selected(kind, day_of(first), day_of(last))
        whose = settings.readings.tenant if settings else DEFAULT
        with downloaded(lake or (settings.outputs.lake if settings else ""), selection) as folder:
            records = stored_records(folder, kind, reason, since, selection, whose)
    except (ConfigError, LakeError) as error:
        _fail(str(error))
    for code, count in summary(records).items():
        print(f"{code}: {count} records")
    if dry_run:
        print("nothing was sent (--dry-run)")
        return
    if out is not None:
        out.write_bytes(b"".join(payload + b"\n" for _, payload in records))
        print(f"wrote {len(records)} records to {out}")
        return
    assert settings is not None
    source = settings.readings
    sent = publish(source.stream, (payload for _, payload in records), lambda count: None, source.endpoint or None)
    print(f"sent {sent} records to {source.stream}")


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
def deploy(context: typer.Context) -> None:
    """Deploy to an AWS account, from a checkout."""
    try:
        from deploy.__main__ import main as deploy_main
    except ImportError as error:
        _fail(f"{error.name} is not installed: run pip install -e '.[deploy]' in a checkout")
    from deploy.kit.wheels import PROJECT

    if not (PROJECT / "pyproject.toml").is_file():
        _fail("deploying requires a checkout: clone the project and run pip install -e '.[deploy]' in it")
    raise typer.Exit(deploy_main(context.args, f"{context.command_path}"))


def main() -> None:
    """Entry point of the console command `metering`."""
    app(prog_name="metering")


if __name__ == "__main__":
    app()
