"""The small tree that a script is evaluated from: what tree-sitter read, without its chains of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class At:
    """Where a node begins (line and column from 1) and its text."""

    line: int
    column: int
    text: str


@dataclass(eq=False)
class Node:
    """Anything of the tree."""

    at: At


@dataclass(eq=False)
class Const(Node):
    value: Any
    token: str = ""


@dataclass(eq=False)
class Expand(Node):
    parts: list[Any]


@dataclass(eq=False)
class Var(Node):
    scope: str
    name: str
    splat: bool = False


@dataclass(eq=False)
class ArrayLiteral(Node):
    items: list[Node]


@dataclass(eq=False)
class ArrayExpression(Node):
    body: list[Node]


@dataclass(eq=False)
class SubExpression(Node):
    body: list[Node]


@dataclass(eq=False)
class Paren(Node):
    body: Node


@dataclass(eq=False)
class HashLiteral(Node):
    entries: list[tuple[Node, Node]]


@dataclass(eq=False)
class TypeLiteral(Node):
    name: str


@dataclass(eq=False)
class Unary(Node):
    operator: str
    operand: Node


@dataclass(eq=False)
class Binary(Node):
    operator: str
    left: Node
    right: Node


@dataclass(eq=False)
class Cast(Node):
    type_name: str
    operand: Node


@dataclass(eq=False)
class Member(Node):
    target: Node
    name: Node
    static: bool


@dataclass(eq=False)
class Invoke(Node):
    target: Node
    name: Node
    arguments: list[Node]
    static: bool


@dataclass(eq=False)
class Index(Node):
    target: Node
    index: Node


@dataclass(eq=False)
class Step(Node):
    target: Node
    by: int
    after: bool


@dataclass(eq=False)
class Attribute:
    name: str
    positional: list[Node]
    named: dict[str, Node | None]


@dataclass(eq=False)
class Parameter:
    name: str
    type_name: str
    attributes: list[Attribute]
    default: Node | None

    def attribute(self, name: str) -> list[Attribute]:
        return [one for one in self.attributes if one.name.casefold() == name]


@dataclass(eq=False)
class Code(Node):
    """A script, function or script block: its parameters and its blocks."""

    parameters: list[Parameter] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)
    begin: list[Node] = field(default_factory=list)
    process: list[Node] | None = None
    end: list[Node] = field(default_factory=list)
    requires: list[str] = field(default_factory=list)
    source: Source | None = None

    def advanced(self) -> bool:
        """Whether it binds as cmdlets do."""
        return any(one.name.casefold() == "cmdletbinding" for one in self.attributes) or any(
            parameter.attribute("parameter") for parameter in self.parameters
        )


@dataclass(eq=False)
class Source:
    """The text a node comes from."""

    text: str
    file: str
    lines: list[str]


@dataclass(eq=False)
class BlockExpression(Node):
    code: Code


@dataclass(eq=False)
class Redirection:
    stream: str
    into: Node | None
    append: bool = False


@dataclass(eq=False)
class Argument:
    """One element of a command: a parameter's name, with a colon perhaps its value, or a value."""

    name: str | None
    value: Node | None
    text: str
    joined: bool = False


@dataclass(eq=False)
class Command(Node):
    operator: str
    name: Node
    arguments: list[Argument]
    redirections: list[Redirection]


@dataclass(eq=False)
class Expression(Node):
    value: Node
    redirections: list[Redirection]


@dataclass(eq=False)
class Pipeline(Node):
    stages: list[Node]


@dataclass(eq=False)
class Assign(Node):
    target: Node
    operator: str
    value: Node


@dataclass(eq=False)
class If(Node):
    branches: list[tuple[Node, list[Node]]]
    otherwise: list[Node] | None


@dataclass(eq=False)
class Switch(Node):
    options: set[str]
    subject: Node
    clauses: list[tuple[Node | None, list[Node]]]


@dataclass(eq=False)
class ForEach(Node):
    variable: Var
    subject: Node
    body: list[Node]


@dataclass(eq=False)
class For(Node):
    first: Node | None
    condition: Node | None
    step: Node | None
    body: list[Node]


@dataclass(eq=False)
class Loop(Node):
    """while (test first), do-while and do-until (test last)."""

    condition: Node
    body: list[Node]
    test_last: bool
    until: bool


@dataclass(eq=False)
class Function(Node):
    name: str
    code: Code


@dataclass(eq=False)
class Flow(Node):
    kind: str
    value: Node | None


@dataclass(eq=False)
class Try(Node):
    body: list[Node]
    catches: list[tuple[list[str], list[Node]]]
    last: list[Node] | None
