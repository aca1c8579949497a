"""What a script for Windows PowerShell 5.1 may not hold, found without running it.

It must parse, call only cmdlets that are published, by full names, with parameters that are published and go together, use only the
types and members of docs/explanation/powershell-subset.md, and read no variable that nothing sets.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tree_sitter
import tree_sitter_powershell

ROOT = Path(__file__).parents[3]
VOCABULARY = ROOT / "tests/data/powershell/vocabulary.json"
SUBSET = ROOT / "docs/explanation/powershell-subset.md"
PROGRAMS = {"sc.exe", "netdom.exe", "icacls.exe", "powershell.exe"}
NEVER = {"Invoke-Expression", "Add-Type", "Invoke-Command", "New-Alias", "Set-Alias"}
"""Cmdlets that make code of text, or names that a reader does not know."""
BLOCKS_BY_PLACE = {"Where-Object": "FilterScript", "ForEach-Object": "Process"}
SEES_PREFERENCES = ("Microsoft.PowerShell.", "CimCmdlets", "Microsoft.WSMan.Management")
"""Modules that are compiled. The functions of the others run in a scope of their own, where a script's preferences do not count."""
AUTOMATIC = frozenset(
    re.findall(
        r"\w+",
        "_ args true false null input env lastexitcode psscriptroot pscommandpath psboundparameters pscmdlet myinvocation "
        "erroractionpreference progresspreference confirmpreference whatifpreference verbosepreference warningpreference matches error "
        "ofs psversiontable pid executioncontext",
    )
)
Node = tree_sitter.Node


@functools.cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))


@functools.cache
def vocabulary() -> dict[str, Any]:
    """The published cmdlets, by folded name."""
    document = json.loads(VOCABULARY.read_text())
    cmdlets = {name.casefold(): {**entry, "name": name} for name, entry in document["cmdlets"].items()}
    return {
        "cmdlets": cmdlets,
        "aliases": {one.casefold() for one in document["aliases"]},
        "common": set(document["common"]),
    }


@functools.cache
def subset() -> tuple[dict[str, set[str]], set[str], set[str]]:
    """Types with their static members, names of types that values may be cast to, and members of values."""
    text = SUBSET.read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| ") and line.count("|") == 3]
    types: dict[str, set[str]] = {}
    for _, first, second, _ in rows:
        for name in [
            *re.findall(r"[A-Za-z][\w.]*", first.replace("[T]", "")),
            *re.findall(r"System\.[\w.]+|(?<=\[)[a-z]+(?=\])", second),
        ]:
            types.setdefault(_short(name), set()).update(re.findall(r"[A-Za-z]\w+", first + second))
    values = text[text.index("**Values.**") : text.index("**Strings**")]
    casts = {_short(one) for one in re.findall(r"`\[([\w.]+)\]`", values + text[text.index("**Parameters of") :])} | {
        "ref"
    }
    return types, casts, set(re.findall(r"[A-Za-z]\w+", text))


def problems(text: str, *beside: str) -> list[str]:
    """Everything that is wrong with a script, one line each; empty when it may be delivered. ``beside``: scripts whose functions it has."""
    root = _root(text)
    known = {name: parameters for one in beside for name, parameters in _functions(_root(one)).items()}
    broken = [
        f"line {node.start_point.row + 1}: does not parse" for node in _all(root) if node.is_error or node.is_missing
    ]
    return broken or sorted(
        {f"line {node.start_point.row + 1}: {why}" for node, why in _Script(root, known).found()}, key=_line
    )


def commands(text: str) -> set[str]:
    """Names of all that a script calls."""
    return {_Call(node).name for node in _all(_root(text)) if node.type == "command"}


def _root(text: str) -> Node:
    return _parser().parse(text.removeprefix("\ufeff").encode()).root_node


def _functions(root: Node) -> dict[str, set[str]]:
    return {_function_name(one): _parameters(one) for one in _all(root) if one.type == "function_statement"}


def _line(problem: str) -> tuple[int, str]:
    return int(problem.split()[1].rstrip(":")), problem


def _all(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _all(child)


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _short(name: str) -> str:
    return name.removeprefix("System.").rsplit(".", 1)[-1].casefold()


class _Call:
    """A command with its arguments."""

    def __init__(self, node: Node) -> None:
        self.node = node
        named = node.child_by_field_name("command_name") or next(
            (one for one in node.children if one.type in {"command_name", "command_name_expr"}), None
        )
        self.name = _text(named) if named is not None else ""
        self.is_invoked = any(one.type == "command_invokation_operator" for one in node.children)
        self.is_by_expression = bool(re.search(r"[$({]", self.name))
        elements = [one for part in node.children if part.type == "command_elements" for one in part.children]
        self.words = [one for one in elements if one.type != "redirection" and _text(one).strip(" `\n\t")]
        self.is_piped = node.parent is not None and node.parent.children[0].id != node.id

    def bound(self, switches: set[str]) -> tuple[dict[str, Node | None], list[Node]]:
        """Parameters by their written names with what they are given, and arguments that stand without a name."""
        given: dict[str, Node | None] = {}
        loose: list[Node] = []
        waiting = ""
        for word in self.words:
            if word.type == "command_parameter":
                waiting = _text(word).lstrip("-").rstrip(":")
                given[waiting] = None
                waiting = "" if waiting.casefold() in switches else waiting
            elif word.type == "command_argument_sep":
                if ":" in _text(word) and not waiting and given:
                    waiting = list(given)[-1]
            elif waiting:
                given[waiting], waiting = word, ""
            else:
                loose.append(word)
        return given, loose


class _Script:
    """One script's tree, and what is wrong in it."""

    def __init__(self, root: Node, known: dict[str, set[str]]) -> None:
        self.nodes = list(_all(root))
        self.functions = {**known, **_functions(root)}

    def found(self) -> Iterator[tuple[Node, str]]:
        yield from self._calls()
        yield from self._types()
        yield from self._members()
        yield from self._variables()

    def _calls(self) -> Iterator[tuple[Node, str]]:
        for node in self.nodes:
            if node.type == "command":
                yield from ((node, why) for why in self._call(_Call(node)))

    def _call(self, call: _Call) -> Iterator[str]:
        folded = call.name.casefold()
        if call.is_by_expression:
            yield from _expression_call(call)
        elif folded in self.functions:
            yield from _function_call(call, self.functions[folded])
        elif folded in vocabulary()["cmdlets"]:
            yield from _cmdlet_call(call, vocabulary()["cmdlets"][folded])
        elif folded in vocabulary()["aliases"]:
            yield f"{call.name} is an alias"
        elif folded not in PROGRAMS and not re.fullmatch(r"\d+\.\.\d+", folded):
            yield f"there is no command {call.name}"

    def _types(self) -> Iterator[tuple[Node, str]]:
        types, casts, _ = subset()
        for node in self.nodes:
            if node.type == "type_literal" and (node.parent is None or node.parent.type != "invokation_expression"):
                name = _text(node).strip("[]").removesuffix("[]").strip()
                if _short(name) not in casts | set(types) and not name.endswith("Exception"):
                    yield node, f"the type [{name}] is not in the subset"
            for name in _made(node):
                if _short(name) not in types:
                    yield node, f"the type {name} is not in the subset"

    def _members(self) -> Iterator[tuple[Node, str]]:
        types, _, members = subset()
        for node in self.nodes:
            if node.type not in {"invokation_expression", "member_access"}:
                continue
            member = next((_text(one) for one in node.children if one.type == "member_name"), "")
            first, called = node.children[0], node.type == "invokation_expression"
            if first.type == "type_literal":
                name = _text(first).strip("[]")
                if _short(name) not in types or member not in types[_short(name)]:
                    yield node, f"[{name}]::{member} is not in the subset"
            elif called and member not in members and not ("Add" in members and member.startswith("Add")):
                yield node, f".{member}() is not in the subset"

    def _variables(self) -> Iterator[tuple[Node, str]]:
        variables = [(node, _variable(node)) for node in self.nodes if node.type == "variable"]
        is_set = {name for node, name in variables if _is_set(node)} | AUTOMATIC
        for node, name in variables:
            if name and name not in is_set:
                yield node, f"${name} is read and nothing sets it"


def _expression_call(call: _Call) -> Iterator[str]:
    """A block of the script's own, or an installed script that is named in the call, with parameters that it has."""
    installed = re.search(r"'(\w+\.ps1)'\)$", call.name)
    known = (
        _parameters(_root((ROOT / "scripts/windows" / installed[1]).read_text(encoding="utf-8-sig")))
        if installed
        else set()
    )
    given, loose = call.bound(set())
    if loose or not call.is_invoked or not {one.casefold() for one in given} <= known:
        yield f"{call.name} is called with arguments that nobody can check"


def _function_call(call: _Call, known: set[str]) -> Iterator[str]:
    given, loose = call.bound(set())
    for name in given:
        if name.casefold() not in known:
            yield f"{call.name} has no parameter -{name}"
    if len(loose) > len(known):
        yield f"{call.name} takes no {_text(loose[-1])}"


def _cmdlet_call(call: _Call, entry: dict[str, Any]) -> Iterator[str]:
    name, common = entry["name"], vocabulary()["common"]
    parameters = {one.casefold(): one for one in [*entry["p"], *common]}
    switches = {one.casefold() for one, facts in entry["p"].items() if facts["t"] == "switch"}
    given, loose = call.bound(switches)
    if name in NEVER:
        yield f"{name} is not for scripts that are rendered"
    if (
        name in BLOCKS_BY_PLACE
        and loose
        and loose[0].type == "array_literal_expression"
        and _text(loose[0]).startswith("{")
    ):
        given[BLOCKS_BY_PLACE[name]] = loose.pop(0)
    if loose:
        yield f"{name} is given {_text(loose[0])} by its place"
    unknown = [one for one in given if one.casefold() not in parameters]
    for one in unknown:
        yield f"{name} has no parameter -{one}"
    if unknown or loose:
        return
    written = {parameters[one.casefold()]: value for one, value in given.items()}
    yield from _values(entry, written)
    if not entry["m"].startswith(SEES_PREFERENCES) and "ErrorAction" not in written:
        yield f"{name} does not see $ErrorActionPreference: it needs -ErrorAction"
    if not _fits(entry, set(written) - common, is_piped=call.is_piped):
        yield f"{name} has no set of parameters with {', '.join(f'-{one}' for one in written) or 'none'}"


def _values(entry: dict[str, Any], written: dict[str, Node | None]) -> Iterator[str]:
    for one, value in written.items():
        facts = entry["p"].get(one, {"t": ""})
        if facts["t"] != "switch" and value is None:
            yield f"{entry['name']} -{one} is given nothing"
        word = _text(value).strip("'\"") if value is not None else ""
        allowed = facts.get("v")
        if (
            allowed
            and re.fullmatch(r"\w+", word)
            and word.casefold() not in {str(other).casefold() for other in allowed}
        ):
            yield f"{entry['name']} -{one} cannot be {word}"


def _fits(entry: dict[str, Any], given: set[str], *, is_piped: bool) -> bool:
    """Whether one of the published sets has all that is given, and gets all that it must have."""
    names = list(entry["p"])
    in_sets = {names[index] for one in entry["s"] for index in (*one[1], *one[2])}
    piped = {one for one, facts in entry["p"].items() if is_piped and facts.get("p")}
    for listed in entry["s"]:
        mandatory = {names[index] for index in listed[1]}
        members = mandatory | {names[index] for index in listed[2]}
        if given <= members | (set(names) - in_sets) and mandatory <= given | piped:
            return True
    return not entry["s"]


def _function_name(node: Node) -> str:
    return next(_text(one) for one in node.children if one.type == "function_name").casefold()


def _parameters(node: Node) -> set[str]:
    block = next((one for one in _all(node) if one.type == "param_block"), None)
    found = _all(block) if block is not None else iter(())
    names = {
        _variable(one.children[-1] if one.children[-1].type == "variable" else _first_variable(one))
        for one in found
        if one.type == "script_parameter"
    }
    return {one for one in names if one}


def _first_variable(node: Node) -> Node:
    return next(one for one in node.children if one.type == "variable")


def _made(node: Node) -> Iterator[str]:
    """The types that New-Object makes."""
    if node.type != "command" or _Call(node).name.casefold() != "new-object":
        return
    given, _ = _Call(node).bound(set())
    value = given.get("TypeName")
    if value is not None:
        yield _text(value).strip("'\"")


def _variable(node: Node) -> str:
    """Its folded name; empty for those of the environment and other drives."""
    name = _text(node).lstrip("$@").strip("{}").casefold()
    scope, _, rest = name.partition(":")
    if not rest:
        return name
    return rest if scope in {"script", "local", "global", "private"} else ""


def _is_set(node: Node) -> bool:
    """Whether this occurrence gives the variable a value."""
    one: Node | None = node
    while one is not None and one.type != "statement_list":
        if one.type in {"left_assignment_expression", "script_parameter"}:
            return one.type == "script_parameter" or _text(one).casefold().endswith(_text(node).casefold())
        if one.type == "foreach_statement":
            return next(child for child in one.children if child.type == "variable").id == node.id
        one = one.parent
    return False
