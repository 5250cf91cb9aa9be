"""The tariff registry: versions in force, faulty documents, refreshing, threads."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from flink_job.io.locations import FolderLocation
from flink_job.tariffs.registry import TariffRegistry, UnknownTariffError
from tests.harness.jobs import command


def document(version: str, valid_from: str, valid_to: str | None = None) -> str:
    return json.dumps(
        {"tariff_id": "t", "version": version, "currency": "EUR", "valid_from": valid_from, "valid_to": valid_to}
    )


def test_a_version_lasts_until_the_next(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(document("a", "2026-01-01"))
    (tmp_path / "b.json").write_text(document("b", "2026-03-01", "2026-06-01"))
    registry = TariffRegistry(FolderLocation(tmp_path))
    registry.refresh(0)
    assert [registry.in_force("t", d)[0].version for d in (date(2026, 2, 28), date(2026, 3, 1))] == ["a", "b"]
    assert registry.in_force("t", date(2026, 2, 1))[2] == date(2026, 3, 1)
    for day in (date(2025, 12, 31), date(2026, 6, 1)):
        with pytest.raises(UnknownTariffError) as raised:
            registry.in_force("t", day)
        assert raised.value.code == "no_tariff_version"


def test_a_faulty_document_is_rejected_until_it_is_fixed(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("{")
    registry = TariffRegistry(FolderLocation(tmp_path), refresh_s=10)
    registry.refresh(0)
    assert list(registry.faults) == ["a.json"]
    path.write_text(document("a", "2026-01-01"))
    registry.refresh(9.9)
    assert list(registry.faults) == ["a.json"]
    registry.refresh(10)
    assert not registry.faults
    assert registry.version("t", "a").currency == "EUR"


def test_no_thread_sees_a_partially_loaded_registry(tmp_path: Path) -> None:
    class SlowLocation(FolderLocation):
        def list(self, suffix: str) -> Iterator[tuple[str, str]]:
            time.sleep(0.2)
            return super().list(suffix)

    (tmp_path / "a.json").write_text(document("a", "2026-01-01"))
    registry = TariffRegistry(SlowLocation(tmp_path))
    missed = []

    def look() -> None:
        registry.refresh(0)
        try:
            registry.version("t", "a")
        except UnknownTariffError as error:
            missed.append(error)

    threads = [threading.Thread(target=look) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not missed


def test_the_error_of_an_unknown_tariff_names_faulty_documents(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("{}")
    registry = TariffRegistry(FolderLocation(tmp_path))
    registry.reload()
    with pytest.raises(UnknownTariffError, match=r"faulty documents: mine\.json"):
        registry.versions("mine")


def test_the_command_lists_versions_and_faults(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(document("a", "2026-01-01"))
    assert "t a: EUR, from 2026-01-01" in command("tariffs", "check", tmp_path)
    (tmp_path / "b.json").write_text(document("b", "someday"))
    assert "b.json: valid_from: 'someday' is not a 'date'" in command("tariffs", "check", tmp_path, code=2)
