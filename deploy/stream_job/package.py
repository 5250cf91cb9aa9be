"""`build/flink-app.zip`: the application package for Managed Flink. Builds are reproducible.

main.py                         entry point
lib/flink-dependencies.jar      all connectors and the operators of flink_job/java, in one jar
dep/                            this project's packages and their dependencies (run option `pyFiles`)
"""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from deploy.kit.locks import exclusive
from deploy.kit.wheels import EPOCH, PLATFORM, PROJECT, PackageError, download, wheel_files

REQUIREMENTS = PROJECT / "requirements/app.txt"
WHEELS = PROJECT / "build" / "wheels"
JAR = PROJECT / "build" / "flink-dependencies.jar"
PACKAGE = PROJECT / "build" / "flink-app.zip"

PACKAGES = ("flink_job", "udfs")
#: Factory classes of the connectors in the jar.
FACTORIES = ("KinesisDynamicTableFactory", "KinesisFirehoseDynamicTableFactory", "PackedSinkFactory")
#: Suffixes of data files in a package.
DATA = (".sql", ".json")
#: Parts of the project that the job does not import.
LEFT_OUT = tuple(
    f"flink_job/{name}"
    for name in (
        "__main__.py",
        "batch",
        "billing",
        "commands",
        "imports",
        "io/lake_files.py",
        "io/parquet.py",
        "io/records.py",
        "io/remote.py",
        "java",
        "lake",
    )
)
LIMIT_BYTES = 150 * 1024 * 1024

MAIN = '''"""Entry point on Managed Flink."""

from flink_job.main import main

main()
'''


def build(target: Path = PACKAGE) -> str:
    """Write the package; returns its SHA-256. Raises PackageError."""
    if not JAR.is_file():
        raise PackageError(f"{JAR} is missing: run 'make setup'")
    entries = {"main.py": MAIN.encode(), "lib/flink-dependencies.jar": JAR.read_bytes()}
    with exclusive(WHEELS):
        files = [*project_files(), *wheel_files(download(WHEELS, REQUIREMENTS))]
    entries |= {f"dep/{name}": content for name, content in files}
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_STORED if name.endswith(".jar") else zipfile.ZIP_DEFLATED
            archive.writestr(info, entries[name])
    problems = list(faults(target))
    if problems:
        raise PackageError(f"{target} would not run:\n  " + "\n  ".join(problems))
    return hashlib.sha256(target.read_bytes()).hexdigest()


def project_files(root: Path = PROJECT) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of this project's packages, except LEFT_OUT."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*")):
            name = path.relative_to(root).as_posix()
            wanted = path.suffix == ".py" or path.suffix in DATA
            if wanted and "__pycache__" not in name and not name.startswith(LEFT_OUT):
                yield name, path.read_bytes()


def faults(package: Path) -> Iterator[str]:
    """Yield the reasons why a package would not run."""
    with zipfile.ZipFile(package) as archive:
        names = set(archive.namelist())
        yield from _layout_faults(names)
        yield from _module_faults(archive, names)
        yield from (f"{name}: not built for {PLATFORM}, cp311" for name in names if _is_foreign(name))
        if "lib/flink-dependencies.jar" in names:
            yield from jar_faults(archive.read("lib/flink-dependencies.jar"))
    if package.stat().st_size > LIMIT_BYTES:
        yield f"{package.stat().st_size:,} bytes; at most {LIMIT_BYTES:,}"


def _layout_faults(names: set[str]) -> Iterator[str]:
    for needed in ("main.py", "lib/flink-dependencies.jar"):
        if needed not in names:
            yield f"{needed} is missing"
    jars = sorted(name for name in names if name.endswith(".jar"))
    if len(jars) > 1:
        yield f"more than one jar: {', '.join(jars)}"
    for supplied in ("apache_flink", "pyflink", "numpy", "pandas", "pyarrow"):
        if any(name.startswith(f"dep/{supplied}/") for name in names):
            yield f"dep/{supplied}: the service supplies it, a second copy conflicts"


def _module_faults(archive: zipfile.ZipFile, names: set[str]) -> Iterator[str]:
    """Imports that neither the package, the service nor the standard library provides."""
    import ast

    supplied = {"pyflink", "numpy", "pandas", "pyarrow", *sys.stdlib_module_names}
    tops = {name.split("/")[1].removesuffix(".py") for name in names if name.startswith("dep/") and "/" in name}
    for name in sorted(names):
        if not name.endswith(".py") or not name.startswith(tuple(f"dep/{package}/" for package in PACKAGES)):
            continue
        for imported in _imports(ast.parse(archive.read(name))):
            top = imported.split(".")[0]
            if top in PACKAGES:
                path = f"dep/{imported.replace('.', '/')}"
                if f"{path}.py" not in names and f"{path}/__init__.py" not in names:
                    yield f"{name} imports {imported}, which is not in the package"
            elif top not in supplied and top not in tops:
                yield f"{name} imports {imported}, which is not in the package"


def _imports(tree: object) -> Iterator[str]:
    """Modules imported at module level, outside functions and TYPE_CHECKING blocks."""
    import ast

    assert isinstance(tree, ast.Module)
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


def _is_foreign(name: str) -> bool:
    """True for a binary of another platform or Python version; stable-ABI modules have no version in their names."""
    if name.endswith((".pyd", ".dylib")):
        return True
    if not name.endswith(".so"):
        return False
    tag = name.rsplit("/", 1)[-1]
    return ".cpython-" in tag and ".cpython-311-x86_64-linux-gnu" not in tag


def jar_faults(content: bytes) -> Iterator[str]:
    """Yield connectors that are missing or duplicated, and service files that were overwritten instead of merged."""
    with zipfile.ZipFile(io.BytesIO(content)) as jar:
        names = jar.namelist()
        factories = "META-INF/services/org.apache.flink.table.factories.Factory"
        found = jar.read(factories).decode() if factories in names else ""
        for factory in FACTORIES:
            count = sum(line.strip().endswith(f".{factory}") for line in found.splitlines())
            if count != 1:
                yield f"{factory} is registered {count} times in the jar"
        twin = "org/apache/flink/connector/aws/sink/throwable/AWSExceptionHandler.class"
        if names.count(twin) != 1 or b"org/apache/flink/kinesis" in jar.read(twin):
            yield "the jar holds the Kinesis connector's own copy of flink-connector-aws-base's classes"
        if any(name.startswith("org/apache/flink/streaming/api/environment/") for name in names):
            yield "the jar holds Flink itself, which the service supplies"


def main() -> None:
    """Build the package and print its size and hash."""
    try:
        digest = build()
    except PackageError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
    size = PACKAGE.stat().st_size / 1024 / 1024
    print(f"{PACKAGE.relative_to(PROJECT)}: {size:.1f} MiB, SHA-256 {digest}")


if __name__ == "__main__":
    main()
