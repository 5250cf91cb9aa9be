"""The bundles of the query API and the canary contain everything that the functions import, and the SQL files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.kit.bundling import API, CANARY, Code


@pytest.mark.parametrize(("code", "module"), [(API, "queries.api"), (CANARY, "canary.canary")])
def test_the_function_can_be_imported_from_its_bundle(code: Code, module: str, tmp_path: Path) -> None:
    for name, source in code.sources():
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {module} as m; print(m.__file__)"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(tmp_path)), done.stderr


def test_the_bundle_of_the_api_contains_the_query_library() -> None:
    names = {name for name, _ in API.sources()}
    assert {"flink_job/lake/queries/__init__.py", "flink_job/lake/queries/costs.sql"} <= names
