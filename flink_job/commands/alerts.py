"""`alerts`: check rules, explain why a rule did or did not fire, replay rules over history, alerting quality."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flink_job.commands.console import errors, fail, note, output
from flink_job.commands.period import From, To, day_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flink_job.alerts.points import Point
    from flink_job.alerts.rules import Rule, RuleSet
    from flink_job.alerts.samples import Batch
    from flink_job.metering.contract import Contract

commands = typer.Typer(
    help="Check, explain and replay alert rules.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Rules = Annotated[str, typer.Argument(help="Rules document, YAML or JSON: a file, or s3://bucket/key.")]
Readings = Annotated[
    list[str] | None, typer.Option(help="Readings in order of arrival: NDJSON, CSV or Parquet, also .gz or s3://.")
]
Contracts = Annotated[list[str] | None, typer.Option(help="Contracts (NDJSON) with site paths and tags.")]
Lake = Annotated[str, typer.Option(help="Output of a run instead of readings: costs and KPIs, without channels.")]
MAX_ROWS = 200


@commands.command()
def check(
    rules: Rules,
    silence_s: Annotated[int, typer.Option(help="Setting `silence_s` of the job [s].")] = 600,
    contracts: Contracts = None,
) -> None:
    """Report every fault of a rules document.

    A rule that can never fire or never clear is a fault, too. The exit code is 2 if there is a fault. With contracts,
    the number of meters, or supply points, in the scope of each rule is shown.

    \b
      python -m flink_job alerts check sample_data/rules.yaml --contracts sample_data/contracts.ndjson
    """
    from flink_job.alerts.durations import show_duration
    from flink_job.alerts.monitored import supplies_of
    from flink_job.alerts.rules import SEVERITIES
    from flink_job.alerts.signals import SUPPLY
    from flink_job.metering.site import meter_of

    found = _rules(rules, silence_s)
    known = _contracts(contracts).values()
    meters, supplies = [meter_of(contract) for contract in known], supplies_of(known)
    for rule in found.rules:
        steps = ", ".join(
            f"{SEVERITIES[level.rank]} {level.condition.text if level.condition else show_duration(level.no_data_ms)}"
            for level in rule.levels
        )
        line = f"{rule.rule_id}: {rule.signal} {steps}"
        if contracts:
            scoped, kind = (supplies, "supply points") if rule.per == SUPPLY else (meters, "meters")
            line += f"; {sum(map(rule.scope.matches, scoped))} of {len(scoped)} {kind}"
        print(line)
    print(f"{len(found.rules)} rules, version {found.version}: no faults")


@commands.command()
def schema() -> None:
    """Print the JSON Schema of rules documents.

    Editors can use it to validate a document as you type.
    """
    import json

    from flink_job.alerts.document import json_schema

    print(json.dumps(json_schema(), indent=1))


@commands.command()
def explain(
    rules: Rules,
    rule: Annotated[str, typer.Option(help="Id of the rule.")],
    entity: Annotated[str, typer.Option(help="Meter id, or a part of the site path for KPIs.")],
    readings: Readings = None,
    contracts: Contracts = None,
    lake: Lake = "",
    every: Annotated[bool, typer.Option("--all", help="Show clear samples too.")] = False,
) -> None:
    """Explain why a rule did or did not fire, by sample.

    \b
      python -m flink_job alerts explain sample_data/rules.yaml --rule hot --entity pun-00037 \\
        --readings sample_data/readings.ndjson.gz --contracts sample_data/contracts.ndjson
    """
    from flink_job.alerts.explain import explain as explained
    from flink_job.commands.alert_tables import chart, explained_table

    found = _rules(rules)
    chosen = found.by_id(rule)
    if chosen is None:
        fail(f"no rule {rule!r}; the document has {', '.join(r.rule_id for r in found.rules)}")
    if chosen.source == "silence":
        fail("explain does not support no_data rules; use `alerts replay`")
    batches = _batches(readings, _contracts(contracts), lake)
    points = [pair for batch in batches for pair in _points(chosen, entity, batch)]
    if not points:
        fail(f"the input has no sample of {chosen.signal} for {entity!r}, or the scope of the rule does not match it")
    rows = list(explained(chosen, entity, points))
    output.print(chart(chosen, rows), highlight=False)
    shown = [row for row in rows if every or row.changes or row.evaluation != "clear" or row.phase != "idle"]
    output.print(explained_table(chosen, shown[:MAX_ROWS]))
    fired = sum(change.state in ("raised", "flapping") for row in rows for change in row.changes)
    print(f"{len(rows)} samples, {len(rows) - len(shown)} of them clear and not shown; raised {fired} times")
    if len(shown) > MAX_ROWS:
        print(f"the first {MAX_ROWS} of {len(shown)} are shown")


@commands.command()
def replay(
    rules: Rules,
    readings: Readings = None,
    contracts: Contracts = None,
    lake: Lake = "",
    rule: Annotated[str, typer.Option(help="Id of the only rule to replay.")] = "",
    limits: Annotated[str, typer.Option(help="Compare these limits of the rule: 70,75,80.")] = "",
    out: Annotated[Path | None, typer.Option(help="NDJSON file for all changes.")] = None,
) -> None:
    """Run rules over history, to choose limits.

    Shows the alerts that the rules would have raised, and of how many people would have been notified.

    \b
      python -m flink_job alerts replay sample_data/rules.yaml --readings sample_data/readings.ndjson.gz \\
        --contracts sample_data/contracts.ndjson --rule hot --limits 75,80,85,90
    """
    import msgspec

    from flink_job.alerts.replay import Replay
    from flink_job.alerts.rules import RuleSet
    from flink_job.alerts.signals import OF_SUPPLY
    from flink_job.alerts.trial_limit import with_limit
    from flink_job.commands.alert_tables import limits_table, replay_table
    from flink_job.metering.site import meter_of

    found = _rules(rules)
    if rule:
        if found.by_id(rule) is None:
            fail(f"no rule {rule!r}; the document has {', '.join(r.rule_id for r in found.rules)}")
        found = RuleSet(found.version, tuple(r for r in found.rules if r.rule_id == rule))
    if unknown := [r.rule_id for r in found.rules if r.signal in OF_SUPPLY]:
        note(f"the signals of {', '.join(unknown)} exist in the stream only: they raise nothing here")
    with errors.status("reading the history"):
        known = _contracts(contracts)
        batches = list(_batches(readings, known, lake))
    meters = tuple(map(meter_of, known.values()))
    if not batches:
        fail("the input has no reading of a meter with a contract; add the contracts of its meters to --contracts")
    if limits:
        if len(found.rules) != 1:
            fail("--limits requires --rule")
        try:
            trials = {limit: with_limit(found.rules[0], float(limit)) for limit in limits.split(",")}
        except ValueError as error:
            fail(str(error))
        trial_rows = {
            limit: list(Replay(RuleSet("", (trial,)), meters).run(batches)) for limit, trial in trials.items()
        }
        output.print(limits_table(trial_rows, batches))
        return
    rows = list(Replay(found, meters).run(batches))
    output.print(replay_table(found, rows, batches))
    if out is not None:
        out.write_bytes(b"".join(msgspec.json.encode(row._asdict()) + b"\n" for row in rows))
        print(f"wrote {len(rows)} changes to {out}")


@commands.command()
def health(
    lake: Annotated[str, typer.Argument(help="Output of a run: a folder, or s3://bucket.")],
    operators: Annotated[int, typer.Option(min=1, help="Number of people who share the alerts of a site.")] = 1,
    first: From = None,
    last: To = None,
) -> None:
    """Report alerting quality: floods, chattering.

    Alerts per operator and hour, floods, chattering and standing alerts, and the time to acknowledge, with the
    targets of ISA-18.2. The view `alert_health` has the figures by hour.

    \b
      python -m flink_job alerts health out --operators 2
    """
    from flink_job.commands.alert_tables import HEALTH, health_table
    from flink_job.io.remote import downloaded
    from flink_job.lake.database import LakeError, needed_tables, query
    from flink_job.lake.selection import Selection

    selection = Selection(needed_tables(HEALTH), day_of(first), day_of(last))
    try:
        with downloaded(lake, selection) as folder:
            _, rows = query(folder, HEALTH, selection)
    except LakeError as error:
        fail(str(error))
    if not rows:
        note("no notifications were sent (only historical or muted alerts; see table alerts)")
        return
    output.print(health_table(rows, operators))


def _rules(uri: str, silence_s: int = 0) -> RuleSet:
    from flink_job.alerts.registry import open_rule_registry

    registry = open_rule_registry(uri, silence_s=silence_s, with_tenants=False).reload()
    if registry.fault:
        fail(registry.fault)
    return registry.rules


def _contracts(files: list[str] | None) -> dict[str, Contract]:
    from flink_job.batch.contracts import contracts_in_force
    from flink_job.io.records import InputError

    try:
        return contracts_in_force(files or (), note)
    except InputError as error:
        fail(str(error))


def _batches(readings: list[str] | None, known: dict[str, Contract], lake: str) -> Iterator[Batch]:
    """The history that the options select, in order of arrival; `known` are contracts by meter."""
    from flink_job.alerts import history
    from flink_job.io.records import InputError, read_parts
    from flink_job.io.remote import downloaded
    from flink_job.lake.database import LakeError, needed_tables, open_lake
    from flink_job.lake.selection import Selection

    if bool(lake) == bool(readings):
        fail("give either --readings with --contracts, or --lake")
    try:
        if lake:
            selection = Selection(needed_tables("SELECT 1 FROM costs, kpis"))
            with downloaded(lake, selection) as folder, open_lake(folder, selection) as connection:
                costs = connection.execute(history.COSTED_SQL).fetchall()
                kpis = connection.execute(history.KPI_SQL).fetchall()
            yield from history.batches_of_costs(costs, known)
            yield from history.batches_of_kpis(kpis)
            return
        if not known:
            fail("--readings requires --contracts: rules depend on site paths and tags")
        records = (payload for name in readings or () for _, payload in read_parts(name))
        yield from history.batches_of_records(records, known, int(time.time() * 1000))
    except (InputError, LakeError) as error:
        fail(str(error))


def _points(rule: Rule, entity: str, batch: Batch) -> Iterator[tuple[Point, int]]:
    from flink_job.alerts.rules import RuleSet
    from flink_job.alerts.state_machine import points_for, rules_for

    if batch.entity == entity and rules_for(RuleSet("", (rule,)), batch):
        yield from ((point, batch.arrival_ms) for point, sample in points_for(rule, batch) if not sample.is_resent)
