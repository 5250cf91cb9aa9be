"""Imports between packages run one way, read from the source: no package imports one of a higher layer."""

from __future__ import annotations

import ast
import graphlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Units of deploy/: infrastructure of one subject, with its runtime.
UNITS = {
    *("alerting", "api", "backup", "batch", "canary", "contracts", "identity", "ingest", "lake", "monitoring"),
    *("settlement", "stream_job"),
}
#: Modules of deploy/ below the units.
BASE = {"errors", "kit", "overrides", "settings", "target"}
#: Imports of one unit by another, each with its reason.
EXCEPTIONS = {
    ("backup", "stream_job"): "a backup takes and restores a snapshot of the application",
    ("monitoring", "alerting"): "alarms name the metrics that the notifier and the sweeper publish",
    ("settlement", "ingest"): "its task runs in the network of the tasks of uploaded files",
    ("monitoring", "canary"): "alarms name the metrics that the canary publishes, and its schedule",
}
#: Modules of flink_job that may import udfs: they register the Python functions of the job.
ENTRIES = {"flink_job/main.py", "flink_job/batch/run.py"}
Imports = dict[tuple[str, str], set[str]]


def imported(path: Path) -> Iterator[str]:
    """Modules that a file imports, at any depth; `from a import b` yields both `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def edges(top: str, root: Path = ROOT) -> Imports:
    """(importing, imported) child packages or modules of `top`, with the files that import."""
    found: Imports = defaultdict(set)
    for path in sorted((root / top).rglob("*.py")):
        source = path.relative_to(root / top).parts[0].removesuffix(".py")
        for module in imported(path):
            package, _, rest = module.partition(".")
            if package == top and rest and (target := rest.split(".")[0]) != source:
                found[source, target].add(path.relative_to(root).as_posix())
    return found


def cycle(found: Imports) -> list[str]:
    """A cycle of packages; empty if there is none."""
    graph: dict[str, set[str]] = defaultdict(set)
    for source, target in found:
        graph[source].add(target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_kit_imports_no_unit() -> None:
    found = {target: files for (source, target), files in edges("deploy").items() if source == "kit"}
    assert {target: files for target, files in found.items() if target not in BASE} == {}


def test_units_import_no_other_unit() -> None:
    found = {
        edge: files
        for edge, files in edges("deploy").items()
        if edge[0] in UNITS and edge[1] not in BASE and edge not in EXCEPTIONS
    }
    assert found == {}, "grant or pass it in deploy/stacks.py or deploy/pipeline.py, or share it in deploy/kit"


def test_exceptions_are_in_use() -> None:
    assert EXCEPTIONS.keys() <= edges("deploy").keys()


def test_every_folder_with_infrastructure_is_a_unit() -> None:
    folders = {path.parent.name for path in (ROOT / "deploy").glob("*/infrastructure.py")}
    # The roles of CI/CD are a stack of their own, composed of other packages.
    assert folders - {"cicd"} <= UNITS


def test_only_entry_points_import_udfs() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for top in ("flink_job", "deploy")
        for path in sorted((ROOT / top).rglob("*.py"))
        for module in imported(path)
        if module.partition(".")[0] == "udfs"
    }
    assert found == ENTRIES


@pytest.mark.parametrize("top", ["flink_job", "deploy"])
def test_packages_form_no_cycle(top: str) -> None:
    found = edges(top)
    if top == "deploy":
        # `settings` and `overrides` are two modules of one subject; the import back is for type checking.
        found.pop(("overrides", "settings"), None)
    names = cycle(found)
    assert not names, {edge: found[edge] for edge in zip(names[1:], names, strict=False) if edge in found}


def test_a_cycle_would_be_found(tmp_path: Path) -> None:
    """The test above can fail."""
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / "top" / name).mkdir(parents=True)
        (tmp_path / "top" / name / "m.py").write_text(f"def f():\n    from top.{other} import m\n", encoding="utf-8")
    assert set(cycle(edges("top", tmp_path))) == {"a", "b"}
