"""`python -m deploy backup` and `python -m deploy restore`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.backup import create
from deploy.backup import prune as pruning
from deploy.backup import restore as restoring
from deploy.backup.parts import BUCKETS, PARTS, TABLES
from deploy.backup.store import BackupError, DamagedError, Manifest, Store
from deploy.release.application import Application
from deploy.settings import Environment
from deploy.target import client, target

#: What Firehose may take beyond its buffer: conversion, and a second attempt.
MARGIN_S = 60
Env = Annotated[str, typer.Option("--env", help="Environment of deploy/settings.py: dev, staging, prod.")]
Part = Annotated[
    list[str] | None, typer.Option("--part", help=f"Only these parts, repeatable: {', '.join(PARTS)}. Default: all.")
]
Place = Annotated[
    str, typer.Option(help="s3://bucket/prefix of the backups; default: the environment's own bucket of backups.")
]
app = typer.Typer()
console = Console(highlight=False)


@app.command()
def backup(
    env: Env = "dev",
    to: Place = "",
    part: Part = None,
    settle_s: Annotated[
        float | None, typer.Option(help="Seconds between the snapshot and the lake; default: buffer_s + 60.")
    ] = None,
    keep: Annotated[
        int, typer.Option(min=0, help="Remove backups that are older than the newest so many of all parts; 0: none.")
    ] = 0,
    show: Annotated[bool, typer.Option("--list", help="List the complete backups instead.")] = False,
) -> None:
    """Back up everything that keeps data.

    Parts are the job's state, the lake, the registry, uploads and tables. The job's state is a snapshot that the
    service keeps with the application. Objects are copied within S3; those that an earlier backup has are not copied
    again. Nothing is stopped. A backup is complete once its manifest is written. Schedule it daily. Permissions and the
    recovery point are in docs/use/recovery.md.

    \b
      python -m deploy backup --env prod --keep 30
      python -m deploy backup --env prod --to s3://other-account-backups/metering
      python -m deploy backup --env prod --list
    """
    environment, source, store = _places(env, to)
    if show:
        _list(store)
        return
    settle_s = environment.buffer_s + MARGIN_S if settle_s is None else settle_s
    with _progress() as progress:
        made = create.back_up(source, store, _parts(part), datetime.now(UTC), settle_s, progress)
    console.print(_summary(made))
    console.print(f"job: snapshot {made.job.snapshot}" if made.job else "job: none ran, no snapshot was taken")
    if keep:
        gone, copies = pruning.prune(store, keep)
        console.print(f"removed {len(gone)} old backups and {copies} copies that no other backup lists")
    console.print(f"python -m deploy restore --env {env} --from {made.id}{f' --place {to}' if to else ''}")


@app.command()
def restore(
    env: Env = "dev",
    origin: Annotated[str, typer.Option("--from", help="Id of the backup (`backup --list`).")] = "",
    at: Annotated[str, typer.Option(help="Instead: the newest backup finished by this time, ISO 8601.")] = "",
    place: Place = "",
    part: Part = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into what is not empty.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Check the backup, and write nothing.")] = False,
    yes: Annotated[bool, typer.Option(help="Do not ask.")] = False,
) -> None:
    """Restore a backup into a deployment.

    Its stacks have to exist. Every file and object of the backup is compared with its checksum first; a damaged backup
    is refused before anything is written. So is a target that is not empty, unless --overwrite is given. Where the
    application still has the backup's snapshot the job is stopped before and started from it after; else it is left as
    it is.

    \b
      python -m deploy restore --env prod --from 20260328T020000.000Z --verify
      python -m deploy restore --env prod --from 20260328T020000.000Z --part lake --overwrite
      python -m deploy restore --env prod --at 2026-03-28T12:00:00+01:00 --overwrite

    A new account or region: `python -m deploy up --env new --restore s3://bucket/backups/ID`.
    """
    _, destination, store = _places(env, place)
    if bool(origin) == bool(at):
        raise BackupError("say which backup: --from ID or --at TIME (`python -m deploy backup --list` shows them)")
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
        console.print(f"backup {manifest.id} is complete and is what was written")
        return
    for name, count in done.written.items():
        console.print(f"{name}: {count} written")
    console.print(f"job: {done.job}")


def restore_into(env: str, uri: str) -> None:
    """Restore everything but the job into a deployment that is just being made, from `s3://bucket/prefix/backups/ID`."""
    place, found, id = uri.rstrip("/").rpartition("/backups/")
    if not found or "/" in id:
        raise BackupError(f"{uri!r} names no backup: write s3://bucket/prefix/backups/ID")
    _, destination, store = _places(env, place)
    manifest = restoring.chosen(store, id)
    console.print(_summary(manifest))
    with _progress() as progress:
        restoring.restore(destination, store, manifest, (*BUCKETS, *TABLES), False, progress)


def _places(env: str, place: str) -> tuple[Environment, create.Source, Store]:
    """The environment, its deployment, and the place of its backups."""
    environment, names, account = target(env)
    application = Application(client("kinesisanalyticsv2", environment), names.application)
    s3, dynamodb = client("s3", environment), client("dynamodb", environment)
    source = create.Source(env, account, environment.region, names, s3, dynamodb, application)
    return environment, source, Store.of(place or f"s3://{names.backups}", environment)


def _parts(asked: list[str] | None) -> tuple[str, ...]:
    unknown = [part for part in asked or () if part not in PARTS]
    if unknown:
        raise BackupError(f"unknown part {', '.join(unknown)}: there are {', '.join(PARTS)}")
    return tuple(asked or PARTS)


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BackupError(f"--at {text!r} is no ISO 8601 time, such as 2026-03-28T12:00:00+01:00") from None
    if at.tzinfo is None:
        raise BackupError(f"--at {text!r} has no offset from UTC: append Z or +01:00")
    return at


def _list(store: Store) -> None:
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


def _summary(manifest: Manifest) -> Table:
    took_s = (manifest.finished - manifest.started).total_seconds()
    shown = Table("part", "holds", "bytes", title=f"Backup {manifest.id} of {manifest.environment}, {took_s:.0f} s")
    for bucket in manifest.buckets:
        shown.add_row(bucket.part, f"{bucket.objects:,} objects", f"{bucket.bytes:,}")
    for table in manifest.tables:
        shown.add_row(table.part, f"{table.items:,} items", f"{table.bytes:,}")
    return shown


@contextmanager
def _progress() -> Iterator[Callable[[str, int], None]]:
    """Counts by part, as they grow."""
    columns = SpinnerColumn(), TextColumn("{task.description}: {task.completed:,.0f}"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as shown:
        tasks: dict[str, TaskID] = {}

        def advance(part: str, count: int) -> None:
            if part not in tasks:
                tasks[part] = shown.add_task(part, total=None)
            shown.advance(tasks[part], count)

        yield advance
