"""The last good version of a tariff stays in force, live and after a restart: both registries give the same answer."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from flink_job.io.locations import FolderLocation
from flink_job.tariffs.registry import TariffRegistry, UnknownTariffError
from tests.harness.jobs import SAMPLES, command

JUNE, JULY = date(2026, 6, 1), date(2026, 7, 1)


def document(version: str, valid_from: str, price: str = "0.10", tariff_id: str = "t") -> str:
    head = {"tariff_id": tariff_id, "version": version, "currency": "EUR", "valid_from": valid_from}
    return json.dumps({**head, "energy": {"periods": {"all": [{"price": price}]}}})


class Folder:
    """A folder of tariffs with a registry that has run since the beginning."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.live = TariffRegistry(FolderLocation(path), keeps_copies=True)

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)
        self.live.reload()

    def delete(self, name: str) -> None:
        (self.path / name).unlink()
        self.live.reload()

    def in_force(self, day: date, tariff_id: str = "t") -> str:
        """Version of the day and price [1e-9], of the live registry, of one that restarts, and of one of a command."""
        restarted = TariffRegistry(FolderLocation(self.path), keeps_copies=True).reload()
        command = TariffRegistry(FolderLocation(self.path)).reload()
        found = set()
        for registry in (self.live, restarted, command):
            tariff = registry.in_force(tariff_id, day)[0]
            found.add(f"{tariff.version} {tariff.energy[0][0].price_e9 / 1e9:.2f}")
        assert len(found) == 1
        return found.pop()

    def faults(self) -> dict[str, str]:
        """Faults of the live registry and of one that restarts and looks up the tariff."""
        restarted = TariffRegistry(FolderLocation(self.path), keeps_copies=True).reload()
        restarted.versions("t")
        assert restarted.reload().faults == self.live.reload().faults
        return self.live.faults


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder(tmp_path)
    found.write("a.json", document("1", "2026-01-01"))
    return found


@pytest.mark.parametrize("broken", ["", "{", '{"tariff_id": "t"', '{"tariff_id": "t"}', "[]"])
def test_a_broken_or_half_written_document_keeps_the_last_good_one(folder: Folder, broken: str) -> None:
    """Version 1 at 0.10; then the document is broken; then it has version 1 at 0.12."""
    folder.write("a.json", broken)
    assert folder.in_force(JUNE) == "1 0.10"
    assert list(folder.faults()) == ["a.json"]
    folder.write("a.json", document("1", "2026-01-01", "0.12"))
    assert (folder.in_force(JUNE), folder.faults()) == ("1 0.12", {})
    folder.write("a.json", broken)
    assert folder.in_force(JUNE) == "1 0.12"


def test_a_deleted_document_stays_in_force_and_is_a_fault_if_its_tariff_is_used(folder: Folder) -> None:
    folder.write("b.json", document("1", "2026-01-01", tariff_id="unused"))
    folder.delete("b.json")
    folder.delete("a.json")
    assert folder.in_force(JUNE) == "1 0.10"
    said = "a.json: was deleted or has another tariff; tariff 't' is used and stays in force"
    assert folder.faults() == {"a.json": said}


def test_of_two_versions_with_one_start_the_one_in_force_stays(folder: Folder) -> None:
    """`0.json` is first by name, `b.json` last: neither replaces version 1, which was there before."""
    for name in ("0.json", "b.json"):
        folder.write(name, document(f"of-{name[0]}", "2026-01-01", "0.30"))
        assert folder.in_force(JUNE) == "1 0.10"
        said = f"{name}: a.json already has tariff 't' version '1' from 2026-01-01; give this one another valid_from"
        assert folder.faults() == {name: said}
        folder.delete(name)
    assert folder.faults() == {}


def test_a_broken_document_keeps_its_start_from_others(folder: Folder) -> None:
    folder.write("a.json", "{")
    folder.write("0.json", document("2", "2026-01-01", "0.30"))
    assert folder.in_force(JUNE) == "1 0.10"
    assert set(folder.faults()) == {"a.json", "0.json"}


def test_two_versions_of_one_name_are_refused(folder: Folder) -> None:
    """A cost names its version: the name must say which."""
    folder.write("b.json", document("1", "2026-07-01", "0.30"))
    assert folder.in_force(JULY) == "1 0.10"
    said = "b.json: a.json already has tariff 't' version '1'; give this one another name"
    assert folder.faults() == {"b.json": said}


def test_a_document_replaces_its_own_version(folder: Folder) -> None:
    """Same start, new name and price: a correction. Nothing of version 1 is left."""
    folder.write("a.json", document("1-corrected", "2026-01-01", "0.11"))
    assert folder.in_force(JUNE) == "1-corrected 0.11"
    assert folder.live.version("t", "1").version == "1"  # readings in flight may refer to it


def test_a_document_that_is_replaced_by_the_next_version_keeps_the_previous_one_before_it(folder: Folder) -> None:
    """`a.json` gets the prices from July on; June is still at 0.10. A start before it withdraws what came later."""
    folder.write("a.json", document("2", "2026-07-01", "0.20"))
    assert (folder.in_force(JUNE), folder.in_force(JULY), folder.faults()) == ("1 0.10", "2 0.20", {})
    folder.write("a.json", document("3", "2026-02-01", "0.30"))
    assert (folder.in_force(date(2026, 1, 31)), folder.in_force(JULY)) == ("1 0.10", "3 0.30")


def test_a_renamed_document_is_no_conflict(folder: Folder) -> None:
    folder.delete("a.json")
    folder.write("z.json", document("2", "2026-01-01", "0.20"))
    assert (folder.in_force(JUNE), folder.faults()) == ("2 0.20", {})


def test_both_of_two_new_versions_with_one_start_are_decided_by_name(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(document("b", "2026-01-01"))
    (tmp_path / "a.json").write_text(document("a", "2026-01-01"))
    folder = Folder(tmp_path)
    folder.live.reload()
    assert folder.in_force(JUNE) == "a 0.10"
    assert list(folder.faults()) == ["b.json"]


def test_an_unreadable_folder_keeps_everything_after_the_first_load(folder: Folder, tmp_path: Path) -> None:
    hidden = tmp_path.rename(tmp_path.with_name("hidden"))
    assert folder.live.reload().in_force("t", JUNE)[0].version == "1"
    assert "cannot list tariffs" in folder.live.faults["*"]
    hidden.rename(tmp_path)
    assert folder.live.reload().faults == {}
    with pytest.raises(FileNotFoundError):
        TariffRegistry(FolderLocation(tmp_path / "none")).reload()


def test_without_copies_nothing_is_written_and_a_restart_forgets(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(document("1", "2026-01-01"))
    TariffRegistry(FolderLocation(tmp_path)).reload()
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UnknownTariffError):
        TariffRegistry(FolderLocation(tmp_path)).reload().versions("t")


def test_a_copy_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    class ReadOnly(FolderLocation):
        def write(self, name: str, content: bytes) -> None:
            raise PermissionError(f"{name}: read-only")

    (tmp_path / "a.json").write_text(document("1", "2026-01-01"))
    registry = TariffRegistry(ReadOnly(tmp_path), keeps_copies=True).reload()
    assert "no copy can be written" in registry.faults["a.json"]
    assert registry.in_force("t", JUNE)[0].version == "1"


def test_faults_do_not_change_the_generation(folder: Folder) -> None:
    """Values derived from the registry stay valid while the same versions are in force."""
    before = folder.live.generation
    folder.write("a.json", "{")
    folder.delete("a.json")
    assert folder.live.generation == before
    folder.write("b.json", document("2", "2026-07-01"))
    assert folder.live.generation == before + 1


def test_the_check_refuses_two_versions_with_one_start(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(document("1", "2026-01-01"))
    (tmp_path / "b.json").write_text(document("2", "2026-01-01"))
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "a.json").write_text(document("1", "2026-01-01"))
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    readings = ("--readings", SAMPLES / "year.csv.gz", "--timezone", "UTC", "--out", tmp_path / "out")
    said = f"{b}: {a} already has tariff 't' version '1' from 2026-01-01; give this one another valid_from"
    assert said in command("tariffs", "check", tmp_path, code=2)
    assert said in command("rate", "--tariff", a, "--tariff", b, *readings, code=2)
    (tmp_path / "b.json").unlink()
    command("tariffs", "check", tmp_path)
