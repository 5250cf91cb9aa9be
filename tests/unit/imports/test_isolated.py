"""The process that reads an uploaded file: same records, no credentials, errors by name."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import pytest

from flink_job.imports import isolated
from flink_job.imports.isolated import isolated_records
from flink_job.io.records import InputError, read_records

#: Code that a file might run: it looks for credentials in its environment and in its parent process, and writes
#: what it finds as records.
HOSTILE = """
import os, struct, sys
def record(number, text):
    sys.stdout.buffer.write(struct.pack(">QI", number, len(text)) + text)
record(1, " ".join(sorted(os.environ)).encode())
for number, place in enumerate(("environ", "mem", "maps"), start=2):
    try:
        open(f"/proc/{os.getppid()}/{place}", "rb").read(1)
        record(number, b"readable")
    except PermissionError:
        record(number, b"refused")
record(0, b"")
"""


def hostile_reader(tmp_path: Path, code: str) -> tuple[str, ...]:
    """Command of a reader that runs `code`, with no more capabilities than in the container, also as root."""
    script = tmp_path / "hostile.py"
    script.write_text(code)
    dropped = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all") if os.geteuid() == 0 else ()
    return (*dropped, sys.executable, str(script))


@pytest.mark.parametrize("name", ["r.ndjson", "r.csv", "r.ndjson.gz"])
def test_records_are_those_of_the_file_each_time(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    content = b'{"a": 1}\n\nno JSON \xff\r\n{"a": 2}\n'
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    expected = list(read_records(str(path)))
    assert len(expected) >= 2
    with isolated_records(path) as (records, _):
        assert list(records()) == expected
        assert list(records()) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="prctl")
def test_code_in_a_file_has_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Fargate the variable is the address of the task role's credentials, and the only way to them."""
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr(isolated, "_COMMAND", hostile_reader(tmp_path, HOSTILE))
    (tmp_path / "r.ndjson").write_text("{}\n")
    with isolated_records(tmp_path / "r.ndjson") as (records, _):
        variables, *places = (payload.decode() for _, payload in records())
    assert [name for name in variables.split() if not name.startswith("LC_")] == ["LANG", "PATH", "PYTHONPATH"]
    assert places == ["refused"] * 3


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("r.xlsx", b"x", r"^r\.xlsx:1: the header has no rows below it"),
        ("r.bin", b"\0\1\2", r"^r\.bin: the name must end in one of \.ndjson"),
        ("r.csv.gz", b"no gzip", r"r\.csv\.gz: Not a gzipped file"),
        ("r.parquet", b"no parquet", r"r\.parquet: Invalid Input Error: .* too small to be a Parquet file"),
    ],
)
def test_errors_are_those_of_the_reader(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=problem) as found, isolated_records(path):
        pass
    assert "Traceback" not in str(found.value)


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.kill(os.getpid(), 9)",
        "import sys; sys.stdout.buffer.write(bytes(7) + bytes([1, 0, 0, 0, 9]) + b'short')",
        "import sys; sys.stdout.buffer.write(bytes(7) + bytes([1, 255, 255, 255, 255]) + bytes(2_000_000))",
    ],
    ids=["killed", "truncated", "longer than a line"],
)
def test_a_reader_that_ends_early_refuses_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(isolated, "_COMMAND", hostile_reader(tmp_path, code))
    (tmp_path / "r.ndjson").write_text("{}\n")
    with pytest.raises(InputError, match="ended early"), isolated_records(tmp_path / "r.ndjson"):
        pass


def test_a_file_that_unpacks_to_more_than_the_limit_is_refused(tmp_path: Path) -> None:
    """A record of 100 bytes takes 112 with its frame: three need 336."""
    path = tmp_path / "r.ndjson"
    path.write_bytes((b"x" * 100 + b"\n") * 3)
    with isolated_records(path, limit=336) as (records, _):
        assert len(list(records())) == 3
    with pytest.raises(InputError, match="more than 335 bytes when unpacked"), isolated_records(path, limit=335):
        pass
