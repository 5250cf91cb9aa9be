"""`python -m deploy backup` and `python -m deploy restore`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.backup import create
from deploy.backup import prune as pruning
from deploy.backup import restore as restoring
from deploy.backup.parts import BUCKETS, PARTS, TABLES
from deploy.backup.store import BackupError, DamagedError, Manifest, Store
from deploy.commands.options import Env, console
from deploy.settings import Environment
from deploy.stream_job.application import Application
from deploy.target import client, target

#: Time that Firehose may need beyond its buffer interval: format conversion and one retry.
MARGIN_S = 60
Part = Annotated[
    list[str] | None, typer.Option("--part", help=f"Only this part; may be repeated: {', '.join(PARTS)}. Default: all.")
]
Place = Annotated[
    str, typer.Option(help="s3://bucket/prefix of the backups. Default: the environment's backup bucket.")
]
app = typer.Typer()


@app.command()
def backup(
    env: Env = "dev",
    to: Place = "",
    part: Part = None,
    settle_s: Annotated[
        float | None,
        typer.Option(help="Seconds between the snapshot and the copy of the lake. Default: `buffer_s` + 60."),
    ] = None,
    keep: Annotated[
        int, typer.Option(min=0, help="Remove backups older than this number of newest full backups. 0: remove none.")
    ] = 0,
    show: Annotated[bool, typer.Option("--list", help="Only list the complete backups.")] = False,
    max_age_h: Annotated[
        float,
        typer.Option(min=0, help="With --list: exit with code 1 if the newest full backup is older. 0: no limit."),
    ] = 0,
) -> None:
    """Back up all data of a deployment.

    The parts are the job's state, the lake, the registry, uploads and tables. The job's state is a snapshot, which
    Managed Flink stores with the application. Objects are copied within S3; those in an earlier backup are not copied
    again. The job keeps running. A backup is complete when its manifest is written. Schedule it daily. See
    docs/use/recovery.md for the recovery point and the permissions that are needed.

    \b
      python -m deploy backup --env prod --keep 30
      python -m deploy backup --env prod --to s3://other-account-backups/metering
      python -m deploy backup --env prod --list --max-age-h 26
    """
    environment, source, store = _places(env, to)
    if show:
        check_age(_list(store), datetime.now(UTC), max_age_h)
        return
    settle_s = environment.buffer_s + MARGIN_S if settle_s is None else settle_s
    with _progress() as progress:
        made = create.back_up(source, store, _parts(part), datetime.now(UTC), settle_s, progress)
    console.print(_summary(made))
    console.print(f"job: snapshot {made.job.snapshot}" if made.job else "job: not running, no snapshot")
    if keep:
        gone, copies = pruning.prune(store, keep)
        console.print(f"Removed {len(gone)} old backups and {copies} copies that no other backup uses")
    console.print(f"python -m deploy restore --env {env} --from {made.id}{f' --place {to}' if to else ''}")


@app.command()
def restore(
    env: Env = "dev",
    origin: Annotated[str, typer.Option("--from", help="Id of the backup (`backup --list`).")] = "",
    at: Annotated[str, typer.Option(help="Instead of --from: the newest backup finished by this ISO 8601 time.")] = "",
    place: Place = "",
    part: Part = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Restore into buckets and tables that are not empty.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Only check the backup; write nothing.")] = False,
    yes: Annotated[bool, typer.Option(help="Do not ask for confirmation.")] = False,
) -> None:
    """Restore a backup into a deployment.

    The stacks must exist. Every file and object of the backup is first compared with its checksum. A damaged backup is
    refused before anything is written, and so is a target that is not empty, unless --overwrite is given. If the
    application still has the backup's snapshot, the job is stopped, and started from the snapshot afterwards. Otherwise
    the job is not changed.

    \b
      python -m deploy restore --env prod --from 20260328T020000.000Z --verify
      python -m deploy restore --env prod --from 20260328T020000.000Z --part lake --overwrite
      python -m deploy restore --env prod --at 2026-03-28T12:00:00+01:00 --overwrite

    In a new account or region:

    \b
      python -m deploy up --env new --restore s3://bucket/backups/ID
    """
    _, destination, store = _places(env, place)
    if bool(origin) == bool(at):
        raise BackupError("give either --from ID or --at TIME; `python -m deploy backup --list` lists the backups")
    parts = _parts(part)
    manifest = restoring.chosen(store, origin, _time(at) if at else None)
    console.print(_summary(manifest))
    if not verify and not yes:
        typer.confirm(f"Restore backup {manifest.id} of {manifest.environment} into {env}?", abort=True)
    with _progress() as progress:
        if verify:
            restoring.check(store, manifest, parts, progress)
        else:
            done = restoring.restore(destination, store, manifest, parts, overwrite, progress)
    if verify:
        console.print(f"Backup {manifest.id} is complete, and all checksums match")
        return
    for name, count in done.written.items():
        console.print(f"{name}: {count} written")
    console.print(f"job: {done.job}")


def restore_into(env: str, uri: str) -> None:
    """Restore all parts except the job from `s3://bucket/prefix/backups/ID` into a new deployment."""
    place, found, id = uri.rstrip("/").rpartition("/backups/")
    if not found or "/" in id:
        raise BackupError(f"{uri!r} is not the URI of a backup: use s3://bucket/prefix/backups/ID")
    _, destination, store = _places(env, place)
    manifest = restoring.chosen(store, id)
    console.print(_summary(manifest))
    with _progress() as progress:
        restoring.restore(destination, store, manifest, (*BUCKETS, *TABLES), False, progress)


def _places(env: str, place: str) -> tuple[Environment, create.Source, Store]:
    """The environment, its deployment, and the store of its backups."""
    environment, names, account = target(env)
    application = Application(client("kinesisanalyticsv2", environment), names.application)
    s3, dynamodb = client("s3", environment), client("dynamodb", environment)
    source = create.Source(env, account, environment.region, names, s3, dynamodb, application)
    return environment, source, Store.of(place or f"s3://{names.backups}", environment)


def _parts(asked: list[str] | None) -> tuple[str, ...]:
    unknown = [part for part in asked or () if part not in PARTS]
    if unknown:
        raise BackupError(f"unknown part {', '.join(unknown)}; use one of {', '.join(PARTS)}")
    return tuple(asked or PARTS)


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BackupError(f"--at {text!r} is not an ISO 8601 time such as 2026-03-28T12:00:00+01:00") from None
    if at.tzinfo is None:
        raise BackupError(f"--at {text!r} has no offset from UTC: append Z or +01:00")
    return at


def check_age(manifests: Iterable[Manifest], now: datetime, max_age_h: float) -> None:
    """Raises BackupError if no full backup was finished in the last `max_age_h` hours; 0 for no limit."""
    newest = max((manifest.finished for manifest in manifests if manifest.is_full), default=None)
    if not max_age_h or (newest and now - newest <= timedelta(hours=max_age_h)):
        return
    found = (
        f"the newest full backup was finished at {newest:%Y-%m-%d %H:%M} UTC" if newest else "there is no full backup"
    )
    raise BackupError(
        f"{found}, but one must be at most {max_age_h:g} h old: check what runs `python -m deploy backup`"
    )


def _list(store: Store) -> list[Manifest]:
    """Print the backups; returns the manifests of those that can be read."""
    found = []
    for id in store.ids():
        try:
            manifest = store.manifest(id)
        except DamagedError as error:
            console.print(f"{id}: {error}", style="red", markup=False, soft_wrap=True)
            continue
        objects, size = sum(b.objects for b in manifest.buckets), sum(b.bytes for b in manifest.buckets)
        items = sum(table.items for table in manifest.tables)
        snapshot = manifest.job.snapshot if manifest.job else "no snapshot"
        console.print(f"{id}: {objects:,} objects, {size:,} bytes, {items:,} items, {snapshot}")
        found.append(manifest)
    return found


def _summary(manifest: Manifest) -> Table:
    took_s = (manifest.finished - manifest.started).total_seconds()
    shown = Table("part", "content", "bytes", title=f"Backup {manifest.id} of {manifest.environment}, {took_s:.0f} s")
    for bucket in manifest.buckets:
        shown.add_row(bucket.part, f"{bucket.objects:,} objects", f"{bucket.bytes:,}")
    for table in manifest.tables:
        shown.add_row(table.part, f"{table.items:,} items", f"{table.bytes:,}")
    return shown


@contextmanager
def _progress() -> Iterator[Callable[[str, int], None]]:
    """Show the number of processed objects and items by part."""
    columns = SpinnerColumn(), TextColumn("{task.description}: {task.completed:,.0f}"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as shown:
        tasks: dict[str, TaskID] = {}

        def advance(part: str, count: int) -> None:
            if part not in tasks:
                tasks[part] = shown.add_task(part, total=None)
            shown.advance(tasks[part], count)

        yield advance
