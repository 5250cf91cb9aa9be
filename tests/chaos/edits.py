"""Faults of contracts and rules that are edited while readings flow, and what must hold beside the bills."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import yaml

from deploy.kit.names import RULES
from deploy.local.demo import SAMPLES, alerts_in_stream, records_of
from flink_job.alerts.changes import ENDED
from flink_job.alerts.document import parse_rules
from flink_job.alerts.endings import OUTSIDE, REMOVED
from flink_job.io.kinesis import client, publish
from flink_job.lake.database import query
from flink_job.metering.site import Entity

if TYPE_CHECKING:
    from tests.chaos.run import Run

MOVED_FROM = "2026-03-28"
MOVED_TO = "moved/process/line"
#: Contracts of other meters that are published with each older version.
FURTHER = 3_000
RULES_REFRESH_S = 2
#: The reason with which alerts end that a restart has lost (flink_job/java: AlertLedger).
NOT_FOUND = "not found again after a restart"
#: Beside two refreshes: the timer is processed after the readings before it.
PROCESSING_S = 2
#: Time in which a checkpoint is complete, also after a restart [s].
CHECKPOINT_S = 120
#: The edits on each of which the job is killed.
EDITS = ("narrowed", "half", "narrowed")
#: Time in which ends of alerts must be in the lake [s].
DELIVERED_S = 30
#: The rule that is never removed; nothing in the load raises it.
KEPT = "clock-ahead"
#: Scopes that leave some entities of a rule outside.
NARROWED = {
    "any-power": {"site": "zaragoza/casting/line-1/*"},
    "any-cost": {"site": "zaragoza/casting/*"},
    "hot": {"site": "pune/*"},
}
#: Rules whose alerts are open nearly always, so that every edit concerns some. Removed with each second rule.
OPEN = [
    {"rule_id": "any-power", "scope": {"site": "zaragoza/casting/*"}, "signal": "power_kw"},
    {"rule_id": "any-cost", "scope": {"site": "zaragoza/*"}, "per": "line", "signal": "kpi.cost", "window": "1h"},
]


def publish_older(run: Run) -> None:
    """Publish an older contract of every meter, with another tariff, among thousands of contracts of other meters."""
    older = _changed({"issued_at": "2026-01-01T00:00:00Z", "assignments": [_FLAT]})
    # Their tariff begins later, so nothing is expected of them: KPIs of silent meters are not what is tested.
    later = {"assignments": [_FLAT | {"valid_from": "2030-01-01"}], "site_path": "further/process/line/meter"}
    further = ({**older[0], **later, "meter_id": f"further-{number}"} for number in range(FURTHER))
    _publish(run, [*older, *further])


def publish_moves(run: Run) -> None:
    """Publish that every meter is on another line from a day of the load on."""
    _publish(run, _changed({"changes": [{"valid_from": MOVED_FROM, "site_path": f"{MOVED_TO}/meter"}]}))


_FLAT = {"tariff_id": "eur-flat", "valid_from": "2026-01-01"}


def _changed(changed: dict[str, Any]) -> list[dict[str, Any]]:
    """The contract of each meter of the sample, with changes."""
    records = map(json.loads, records_of(SAMPLES / "contracts.ndjson"))
    return [record | changed for record in records if "meter_id" in record]


def _publish(run: Run, documents: list[dict[str, Any]]) -> None:
    contracts = (json.dumps(document).encode() for document in documents)
    publish(run.fixture.names.contracts, contracts, lambda sent: None, run.fixture.streams)


def misplaced(run: Run) -> list[str]:
    """Check the paths of costs by local day, after `publish_moves` and a kill at `run.marks["moved"]`.

    Days before the move are on the old line, whenever their readings arrived; readings of later days that arrived after
    the restart, which reads contracts first, are on the new one.
    """
    zones = {document["meter_id"]: ZoneInfo(document["timezone"]) for document in _changed({})}
    _, rows = query(
        run.fixture.work / "lake",
        f"SELECT meter_id, day_start, starts_with(site_path, '{MOVED_TO}/'), "
        f"epoch_ms(arrival) > {1000 * run.marks['moved']:.0f}, COUNT(*) FROM costs GROUP BY ALL",
    )
    counts = {"moved": 0, "too early": 0, "too late": 0}
    for meter, day_start, is_moved, is_after, count in rows:
        day = day_start.replace(tzinfo=UTC).astimezone(zones[str(meter)]).date()  # type: ignore[attr-defined]
        is_due = day >= date.fromisoformat(MOVED_FROM)
        counts["moved"] += int(str(count)) if is_moved and is_due else 0
        counts["too early"] += int(str(count)) if is_moved and not is_due else 0
        counts["too late"] += int(str(count)) if is_due and is_after and not is_moved else 0
    found = {
        "no reading is on the line to which its meter moved": not counts["moved"],
        f"{counts['too early']} costs of days before a move are on the new line": counts["too early"],
        f"{counts['too late']} costs of days after a move are on the old line": counts["too late"],
    }
    return [text for text, is_so in found.items() if is_so]


def rules_document(name: str) -> dict[str, Any]:
    """The sample's rules and OPEN: `all`, each second one removed (`half`), scopes smaller (`narrowed`), or `none`."""
    document: dict[str, Any] = yaml.safe_load((SAMPLES / "rules.yaml").read_text(encoding="utf-8"))
    always = {"severity": "info", "when": "> 0.001", "horizon": "3650d"}
    first, second, *others = document["rules"]
    document["rules"] = rules = [first, OPEN[0] | always, second, OPEN[1] | always, *others]
    if name == "half":
        document["rules"] = rules[::2]
    elif name == "narrowed":
        document["rules"] = [rule | {"scope": NARROWED.get(rule["rule_id"], rule.get("scope", {}))} for rule in rules]
    elif name == "none":
        document["rules"] = [rule for rule in rules if rule["rule_id"] == KEPT]
    return document


def put_rules(run: Run, name: str) -> None:
    """Put a document of rules in the registry."""
    body = json.dumps(rules_document(name)).encode()
    client("s3", run.fixture.url).put_object(Bucket=run.fixture.names.registry, Key=RULES, Body=body)
    run.marks["rules"] = time.time()


def edit_rules(run: Run, strike: Callable[[], None]) -> int:
    """Restore all rules, and narrow or remove them, with a kill, as soon as they have raised alerts: three times.

    The alerts were raised after the last checkpoint, so the job that is restored knows none of them, and its rules do
    not raise them again.
    """
    for name in EDITS:
        _wait_for_checkpoint(run)
        _raise_all(run)
        put_rules(run, name)
        strike()
        _wait_for_checkpoint(run)
    _raise_all(run)
    put_rules(run, "narrowed")  # without a kill, so the alerts are known
    time.sleep(2 * RULES_REFRESH_S + PROCESSING_S)
    return len(EDITS)


def _raise_all(run: Run) -> None:
    """Put all rules in force, and wait until they raise alerts."""
    known = alerts_in_stream(*_stream(run))
    put_rules(run, "all")
    _wait(run, lambda: any(number == 0 for _, number in alerts_in_stream(*_stream(run)) - known))


def _stream(run: Run) -> tuple[Any, str]:
    """The names and the endpoint of the stream of alerts."""
    return run.fixture.names, run.fixture.url


def _wait_for_checkpoint(run: Run) -> None:
    """Wait until a further checkpoint is complete: what was processed before it is known after a restart."""
    last, deadline = run.last_checkpoint(), time.monotonic() + CHECKPOINT_S
    while time.monotonic() < deadline and run.last_checkpoint() == last:
        run.revive()
        time.sleep(0.5)


def unended(run: Run) -> list[str]:
    """Check, when readings have ended, that alerts of edited rules have ended; then remove the rules of the others.

    Their alerts must end within two refreshes, with the reason.
    """
    lake = run.fixture.work / "lake"
    _wait(run, lambda: not _stale(run, _open(run)))
    before, ended = _open(run), _reasons(lake)
    stale = _stale(run, before)
    removed = {alert[0] for alert in before if alert[1] != KEPT}
    put_rules(run, "none")
    _wait(run, lambda: not removed & {alert[0] for alert in _open(run)})
    left = removed & {alert[0] for alert in _open(run)}
    slowest_s = _slowest_s(lake, removed, run.marks["rules"])
    found = {
        f"{len(stale)} alerts are open whose rule is not in force, as {stale[:3]}": stale,
        f"alerts ended with {sorted(ended)} only": not {REMOVED, OUTSIDE} <= ended,
        "no alert was open when the rules were removed": not removed,
        "no alert was lost in a restart": NOT_FOUND not in ended,
        f"{len(left)} alerts did not end when their rule was removed": left,
        f"an alert ended {slowest_s:.1f} s after its rule was removed": slowest_s > 2 * RULES_REFRESH_S + PROCESSING_S,
    }
    return [text for text, is_so in found.items() if is_so]


def _stale(run: Run, alerts: list[tuple[str, str, str, str, str]]) -> list[tuple[str, str, str, str, str]]:
    """The alerts whose rule is not in force."""
    return [alert for alert in alerts if not _is_in_force(run, *alert[1:])]


def _open(run: Run) -> list[tuple[str, str, str, str, str]]:
    """Alert id, rule, entity, site path and tags of the alerts that have not ended."""
    if not any((run.fixture.work / "lake" / "alerts").glob("**/*.parquet")):
        return []
    last = ", ".join(f"arg_max({column}, change_number)" for column in ("rule_id", "entity", "site_path", "tags"))
    _, rows = query(
        run.fixture.work / "lake",
        f"SELECT alert_id, {last} FROM alerts GROUP BY alert_id "
        f"HAVING arg_max(state, change_number) NOT IN {ENDED} ORDER BY 1",
    )
    return [tuple(map(str, row)) for row in rows]  # type: ignore[misc]


def _reasons(lake: Path) -> set[str]:
    return {str(detail) for (detail,) in query(lake, f"SELECT DISTINCT detail FROM alerts WHERE state IN {ENDED}")[1]}


def _is_in_force(run: Run, rule_id: str, entity: str, site_path: str, tags: str) -> bool:
    place = {"Bucket": run.fixture.names.registry, "Key": RULES}
    rule = parse_rules(client("s3", run.fixture.url).get_object(**place)["Body"].read()).by_id(rule_id)
    return rule is not None and rule.concerns(Entity(entity, site_path, tags))


def _wait(run: Run, condition: Callable[[], bool]) -> None:
    """Wait until the lake fulfils a condition, at most DELIVERED_S; what follows checks it."""
    deadline = time.monotonic() + DELIVERED_S
    while time.monotonic() < deadline and not condition():
        time.sleep(1)
        run.fixture.delivery.refresh()


def _slowest_s(lake: Path, alerts: set[str], edited_s: float) -> float:
    """The longest time after which an alert ended with the reason that its rule was removed [s]."""
    _, rows = query(
        lake, f"SELECT alert_id, epoch_ms(arrival) FROM alerts WHERE state IN {ENDED} AND detail = '{REMOVED}'"
    )
    return max((int(str(at)) / 1000 - edited_s for alert, at in rows if alert in alerts), default=0.0)
