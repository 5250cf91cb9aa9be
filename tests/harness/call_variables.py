"""The environment variables that name the resource of a call: read by its function, or passed to its class."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path


def variables_by_line(files: Iterable[Path]) -> dict[str, frozenset[str]]:
    """Environment variables by `file:line`, for every line of functions and classes that have some."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
    given: dict[str, set[str]] = {}
    for tree in trees.values():
        for made in ast.walk(tree):
            if isinstance(made, ast.Call) and isinstance(made.func, ast.Name):
                given.setdefault(made.func.id, set()).update(_variables(made))
    found: dict[str, frozenset[str]] = {}
    for path, tree in trees.items():
        for node in tree.body:
            names = given.get(node.name, set()) if isinstance(node, ast.ClassDef) else set(_variables(node))
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                found[f"{path.name}:{line}"] = frozenset(names)
    return found


def _variables(node: ast.AST) -> Iterator[str]:
    """Names in os.environ["..."]."""
    for found in ast.walk(node):
        is_variable = isinstance(found, ast.Subscript) and ast.unparse(found.value) == "os.environ"
        if is_variable and isinstance(found.slice, ast.Constant):
            yield str(found.slice.value)
