"""The calls of AWS that Python code makes, found in its source: what a function's role has to allow.

From an entry every function is followed that is mentioned on the way, and every method that has a mentioned name and
class: more than what runs, not less. A call of boto3 is recognised by what all of them share: the method is an
operation of a service for which the code makes a client, and its arguments are keywords that the operation's input has.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import botocore.session
from botocore import xform_name

#: Names under which code makes clients: boto3.client("s3"), client("s3"), _client("s3", environment).
_MAKERS = ("client", "_client")
#: Methods that are no operations, and the operations behind them.
_TRANSFERS = {
    "upload_file": ("s3", "PutObject"),
    "upload_fileobj": ("s3", "PutObject"),
    "download_file": ("s3", "GetObject"),
    "download_fileobj": ("s3", "GetObject"),
    "get_secret": ("secretsmanager", "GetSecretValue"),
    "get_parameter": ("ssm", "GetParameter"),
}
_BY_NAME = ("get_paginator", "get_waiter")
#: Steps of a transaction: DynamoDB authorises each by itself.
_STEPS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
#: Decorators that do not register a function as an entry of its own.
_PLAIN = ("cache", "property", "staticmethod", "classmethod", "dataclass", "contextmanager", "lru_cache")
#: Methods that Python or Flink calls without a mention in the source.
_IMPLICIT = (
    *("__init__", "__post_init__", "__enter__", "__exit__", "__call__"),
    *("open", "eval", "process_element", "on_timer"),
)
Definition = ast.FunctionDef | ast.AsyncFunctionDef
Place = tuple[Path, ast.AST]


@dataclass(frozen=True, order=True)
class Call:
    """An operation of a service, and where it is called."""

    service: str
    operation: str
    place: str


class AmbiguousError(AssertionError):
    """A call that may be one of several services."""


class Code:
    """Source files as one body of code."""

    def __init__(self, files: Iterable[Path], services: Iterable[str] = ()) -> None:
        """`services`: those that clients are made for by a name that the source does not spell out there."""
        self._trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
        self._functions: dict[str, list[Place]] = {}
        self._classes: dict[str, list[tuple[Path, ast.ClassDef]]] = {}
        for path, tree in self._trees.items():
            self._define(path, tree)
        self._imported = {path: set(_imported(tree)) for path, tree in self._trees.items()}
        self._services = sorted({*services, *(name for tree in self._trees.values() for name in _clients(tree))})

    def _define(self, path: Path, tree: ast.AST) -> None:
        """Note functions and classes by name."""
        within = {id(n) for c in ast.walk(tree) if isinstance(c, ast.ClassDef) for n in c.body}
        for node in ast.walk(tree):
            if isinstance(node, Definition) and id(node) not in within:
                self._functions.setdefault(node.name, []).append((path, node))
            elif isinstance(node, ast.ClassDef):
                self._classes.setdefault(node.name, []).append((path, node))

    def calls(self, entry: Path, *functions: str, registered: bool = True) -> set[Call]:
        """Calls reached from functions of a file and, if `registered`, from those that decorators register there."""
        reached = list(self._reached(entry, functions, registered))
        found = {call for path, node in reached for call in self._calls_in(path, node)}
        if any(call.operation == "TransactWriteItems" for call in found):
            steps = {step for path, node in reached for step in _steps(path, node)}
            found = {call for call in found if call.operation != "TransactWriteItems"} | steps
        return found

    def _reached(self, entry: Path, functions: tuple[str, ...], registered: bool) -> Iterator[Place]:
        waiting: list[Place] = []
        for node in self._trees[entry].body:
            if isinstance(node, ast.ClassDef):
                continue
            if not isinstance(node, Definition) or node.name in functions or (registered and _is_registered(node)):
                waiting.append((entry, node))
        seen: set[int] = set()
        attributes: set[str] = {*_IMPLICIT}
        classes: set[str] = set()
        while waiting:
            path, node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            yield path, node
            waiting += self._functions_named(path, node)
            known = len(attributes), len(classes)
            attributes |= {found.attr for found in ast.walk(node) if isinstance(found, ast.Attribute)}
            classes |= {name for name in _names(node) if name in self._classes}
            classes |= {base for name in classes for base in self._bases(name)}
            if known != (len(attributes), len(classes)):
                waiting += self._methods(classes, attributes)

    def _functions_named(self, path: Path, node: ast.AST) -> Iterator[Place]:
        """Functions of the file, those that it imports, and those behind the name of a module."""
        imported = self._imported[path]
        for found in ast.walk(node):
            if isinstance(found, ast.Name):
                places = self._functions.get(found.id, ())
                yield from (place for place in places if found.id in imported or place[0] == path)
            elif isinstance(found, ast.Attribute) and isinstance(found.value, ast.Name) and found.value.id in imported:
                yield from self._functions.get(found.attr, ())

    def _bases(self, name: str) -> Iterator[str]:
        for _, node in self._classes[name]:
            yield from (base for expression in node.bases for base in _names(expression) if base in self._classes)

    def _methods(self, classes: set[str], attributes: set[str]) -> Iterator[Place]:
        """Methods of classes that are mentioned, where something of their name is."""
        for name in classes:
            for path, node in self._classes[name]:
                classes_methods = (method for method in node.body if isinstance(method, Definition))
                yield from ((path, method) for method in classes_methods if method.name in attributes)

    def _calls_in(self, path: Path, node: ast.AST) -> Iterator[Call]:
        for call in ast.walk(node):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            place = f"{path.name}:{call.lineno}"
            method = call.func.attr
            if method in _TRANSFERS:
                yield Call(*_TRANSFERS[method], place)
            elif method in _BY_NAME and call.args and isinstance(call.args[0], ast.Constant):
                yield from self._operation(str(call.args[0].value), [], "", place)
            elif not call.args and (call.keywords or "_" in method):
                keywords = [word.arg for word in call.keywords]
                yield from self._operation(method, keywords, ast.unparse(call.func.value), place)

    def _operation(self, method: str, keywords: list[str | None], receiver: str, place: str) -> Iterator[Call]:
        given = {word for word in keywords if word}
        found = []
        for service in self._services:
            operation = _operations(service).get(method)
            if operation and given <= operation[1]:
                found.append(Call(service, operation[0], place))
        named = [call for call in found if call.service in receiver]
        if len(found) > 1 and len(named) != 1:
            raise AmbiguousError(f"{place}: {method} of {', '.join(call.service for call in found)}?")
        yield from named or found


@cache
def _operations(service: str) -> dict[str, tuple[str, frozenset[str]]]:
    """(operation, members of its input) by boto3's method."""
    model = botocore.session.get_session().get_service_model(service)
    found = {}
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        found[xform_name(name)] = (name, frozenset(shape.members if shape else ()))
    return found


def _clients(tree: ast.AST) -> Iterator[str]:
    """Services for which clients are made."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in _MAKERS and isinstance(node.args[0].value, str):
                yield node.args[0].value


def _names(node: ast.AST) -> Iterator[str]:
    for found in ast.walk(node):
        if isinstance(found, ast.Name):
            yield found.id
        elif isinstance(found, ast.Attribute):
            yield found.attr


def _imported(tree: ast.AST) -> Iterator[str]:
    """Names that imports bind, of which some are modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


def _is_registered(node: Definition) -> bool:
    return any(not any(plain in ast.unparse(decorator) for plain in _PLAIN) for decorator in node.decorator_list)


def _steps(path: Path, node: ast.AST) -> Iterator[Call]:
    for found in ast.walk(node):
        if isinstance(found, ast.Dict):
            for key in found.keys:
                if isinstance(key, ast.Constant) and key.value in _STEPS:
                    yield Call("dynamodb", _STEPS[key.value], f"{path.name}:{found.lineno}")
