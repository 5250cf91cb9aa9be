"""The package for Managed Flink: complete, reproducible, refused where it would not run, and rehearsed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from deploy.rehearsal.rehearse import RECORDS, rehearse
from deploy.stream_job.package import build, faults, jar_faults, project_files
from deploy.stream_job.service import KPU_MEMORY
from flink_job.config import Job
from flink_job.dataflow.environment import tuning

Entries = dict[str, bytes]


def test_the_same_input_gives_the_same_bytes(package: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    build(again)
    assert again.read_bytes() == package.read_bytes()


def test_it_holds_what_the_service_needs(package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        names = set(archive.namelist())
    assert {
        "main.py",
        "lib/flink-dependencies.jar",
        "dep/udfs/price.py",
        "dep/flink_job/dataflow/sql/decode/decoded.sql",
    } <= names
    assert "dep/flink_job/tariffs/tariff.schema.json" in names
    assert any(name.startswith("dep/msgspec/") and name.endswith("-311-x86_64-linux-gnu.so") for name in names)
    assert not any(name.startswith(("dep/flink_job/commands", "dep/flink_job/batch")) for name in names)
    assert len(list(project_files())) < len(names)


def without(name: str) -> Callable[[Entries], None]:
    return lambda entries: entries.pop(name) and None


def with_entry(name: str, content: bytes = b"") -> Callable[[Entries], None]:
    return lambda entries: entries.update({name: content})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (without("main.py"), "main.py is missing"),
        (without("dep/flink_job/config.py"), "imports flink_job.config, which is not in the package"),
        (with_entry("dep/udfs/new.py", b"import requests"), "imports requests, which is not in the package"),
        (with_entry("dep/x/y.cpython-310-x86_64-linux-gnu.so"), "not built for manylinux2014_x86_64, cp311"),
        (with_entry("dep/x/y.cpython-311-aarch64-linux-gnu.so"), "not built for"),
        (with_entry("lib/second.jar"), "more than one jar"),
        (with_entry("dep/numpy/__init__.py"), "the service supplies it"),
    ],
)
def test_what_would_not_run_is_refused(
    package: Path, tmp_path: Path, change: Callable[[Entries], None], problem: str
) -> None:
    with zipfile.ZipFile(package) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    assert list(faults(package)) == []
    change(entries)
    damaged = tmp_path / "damaged.zip"
    with zipfile.ZipFile(damaged, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    assert any(problem in fault for fault in faults(damaged))


def test_a_jar_whose_services_were_overwritten_is_refused() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as jar:
        jar.writestr("META-INF/services/org.apache.flink.table.factories.Factory", "x.KinesisDynamicTableFactory\n")
        jar.writestr("org/apache/flink/streaming/api/environment/X.class", b"")
    assert list(jar_faults(content.getvalue())) == [
        "KinesisFirehoseDynamicTableFactory is registered 0 times in the jar",
        "PackedSinkFactory is registered 0 times in the jar",
        "the jar holds the Kinesis connector's own copy of flink-connector-aws-base's classes",
        "the jar holds Flink itself, which the service supplies",
    ]


def test_the_rehearsal(package: Path, tmp_path: Path) -> None:
    """The package alone, on a cluster that has Flink alone and lets a program set what the service lets it set: every
    record is accounted for, or it raises. The eight options of the tuning are refused there, so the package sets none.
    """
    said = io.StringIO()
    account = rehearse(tmp_path / "rehearsal", Console(file=said, width=1000), package)
    assert account["costs"] > 0.9 * RECORDS
    assert all(account[name] for name in ("duplicates", "rejected", "unpriced"))
    [refused] = [line.split(": ")[1] for line in said.getvalue().splitlines() if "refused" in line]
    assert refused.split(", ") == sorted(tuning(Job()))
    assert len(tuning(Job())) == 8


def test_a_kpu_has_three_gigabytes_of_heap_and_one_of_all_else() -> None:
    sizes = {name.split(".", 2)[2]: int(size.removesuffix("m")) for name, size in KPU_MEMORY.items()}
    heap = sizes["framework.heap.size"] + sizes["task.heap.size"]
    assert heap == 3 * 1024
    native = ("framework.off-heap.size", "managed.size", "network.max", "jvm-metaspace.size", "jvm-overhead.max")
    assert sizes["process.size"] - heap == sum(sizes[name] for name in native) == 1024
