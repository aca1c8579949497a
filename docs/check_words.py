"""What checks may say, out of their own source: why something matters, what a person does, and what a fix does."""

# ruff: noqa: INP001  beside a program of its own, not a package

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable
from types import ModuleType

from orchestrator.sdk.checks import Check


def spoken(check: Check) -> list[dict[str, str]]:
    """What a check may say, out of its source and that of the functions beside it that it calls: why, remedy, and what its fix does."""
    found: list[dict[str, str]] = []
    module = sys.modules[check.find.__module__]
    seen: set[str] = set()

    def read(function: Callable[..., object]) -> None:
        seen.add(function.__name__)
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        calls = [one for one in ast.walk(tree) if isinstance(one, ast.Call)]
        for call in calls:
            words = {one.arg: one.value for one in call.keywords}
            if {"why", "remedy"} <= words.keys():
                why, remedy = (_sentence(module, words[word]) for word in ("why", "remedy"))
                found.append({"why": why, "remedy": remedy, "fix": _mends(module, tree) if "fix" in words else ""})
        for call in calls:
            name = call.func.id if isinstance(call.func, ast.Name) else ""
            beside = getattr(module, name, None)
            if name not in seen and inspect.isfunction(beside) and beside.__module__ == module.__name__:
                read(beside)

    read(check.find)
    return found


def _sentence(module: ModuleType, node: ast.AST) -> str:
    """The words of an expression, with what is computed in angle brackets; constants and one-line functions of its module are read."""
    inner = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.JoinedStr | ast.FormattedValue):
        return "".join(_sentence(module, one) for one in inner)
    if isinstance(node, ast.IfExp | ast.BoolOp):
        either = (node.body, node.orelse) if isinstance(node, ast.IfExp) else node.values
        return "; or: ".join(_sentence(module, one) for one in either)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _called(module, node.func.id, [one.id for one in node.args if isinstance(one, ast.Name)])
    return _word(module, node)


def _called(module: ModuleType, name: str, given: list[str]) -> str:
    beside = getattr(module, name, None)
    side = next((one.lower() for one in given if one in {"SOURCE", "TARGET"}), "")
    source = ast.parse(textwrap.dedent(inspect.getsource(beside))) if inspect.isfunction(beside) else ast.Module([], [])
    said = next((one.value for one in ast.walk(source) if isinstance(one, ast.Return)), None)
    whole = isinstance(said, ast.JoinedStr) and name not in {"called", "listed"}
    return _sentence(module, said) if whole and said else f"&lt;{side or 'names'}&gt;"


def _word(module: ModuleType, node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value).replace("<", "&lt;")
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    if isinstance(getattr(module, name, None), str | int):
        return str(getattr(module, name))
    name = name or next((one.id for one in ast.walk(node) if isinstance(one, ast.Name)), "name")
    return f"&lt;{name.lower().strip('_').replace('_', ' ')}&gt;"


def _mends(module: ModuleType, tree: ast.AST) -> str:
    """What the steps do that a function makes, by the first line of their own words."""
    said: list[str] = []
    for call in (one for one in ast.walk(tree) if isinstance(one, ast.Call)):
        room = (
            call.func.value.id if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) else ""
        )
        if room in {"steps", "sql_mending"} and isinstance(call.func, ast.Attribute):
            said.append(_first_line(getattr(getattr(module, room), call.func.attr)))
        beside = getattr(module, call.func.id, None) if isinstance(call.func, ast.Name) else None
        if (
            inspect.isfunction(beside)
            and beside.__module__ == module.__name__
            and beside.__annotations__.get("return") == "Step"
        ):
            said.append(_mends(module, ast.parse(textwrap.dedent(inspect.getsource(beside)))))
    return "; or: ".join(dict.fromkeys(said))


def _first_line(function: Callable[..., object]) -> str:
    return (function.__doc__ or "").strip().splitlines()[0].rstrip(".").replace("``", "`")
