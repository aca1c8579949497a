"""Reads commands: their names, arguments and redirections."""

from __future__ import annotations

import re
from typing import Any

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.reading_ground import DASHES, DOUBLE, OUTSIDE, SINGLE, Ground, parser_error
from tests.lab.windows.powershell.strings import number_of

RANGE = re.compile(r"(-?\d+|\$\w+)\.\.(-?\d+|\$\w+)")


GLUED = re.compile(r"([1-6*]?)>(>?)(\S+)")


class CommandReader(Ground):
    """Reads commands: their names, arguments and redirections."""

    def _command(self, node: Any) -> t.Node:
        operator = ""
        name: t.Node | None = None
        made = t.Command(self._at(node), "", t.Const(self._at(node), ""), [], [])
        for child in node.named_children:
            if child.type == "command_invokation_operator":
                operator = self._text(child).strip()
            elif child.type == "command_name":
                name = self._command_name(child)
            elif child.type == "command_name_expr":
                name = self._command_expression(child)
            elif child.type == "command_elements":
                self._elements(child, made)
            elif child.type != "comment":
                raise self._outside(child, child.type)
        assert name is not None
        if isinstance(name, t.Binary) or (
            isinstance(name, t.Const) and not isinstance(name.value, str) and not operator
        ):
            if made.arguments:
                raise parser_error(
                    "Unexpected token in expression or statement.", "UnexpectedToken", self.position(node)
                )
            return t.Expression(self._at(node), name, made.redirections)
        made.operator, made.name = operator, name
        return made

    def _command_expression(self, node: Any) -> t.Node:
        inner = node.named_children[0] if node.named_children else node
        if inner.type == "command_name":
            return self._command_name(inner)
        if inner.type == "path_command_name":
            parts = [child for child in inner.named_children if child.type != "path_command_name_token"]
            if len(inner.children) == 1 and parts:
                return self.expression(parts[0])
            if not parts:
                return t.Const(self._at(inner), self._text(inner).strip(), self._text(inner).strip())
            raise self._outside(node, "a path put together without quotes")
        return self.expression(inner)

    def _command_name(self, node: Any) -> t.Node:
        text = self._text(node).strip()
        at = self._at(node)
        if found := RANGE.fullmatch(text):
            ends = [
                t.Var(at, "", part[1:]) if part.startswith("$") else t.Const(at, number_of(part), part)
                for part in found.groups()
            ]
            return t.Binary(at, "..", ends[0], ends[1])
        number = number_of(text)
        if number is None and any(char in text for char in '"$'):
            raise self._outside(node, "a command's name put together")
        return t.Const(at, number if number is not None else text, text)

    def _elements(self, node: Any, made: t.Command) -> None:
        separated, colon = True, False
        for child in node.children:
            if child.type == "comment":
                continue
            if child.type == "command_argument_sep":
                separated, colon = True, ":" in self._text(child)
                continue
            if child.type == "redirection":
                made.redirections.append(self._redirection(child))
            elif child.type == "command_parameter":
                text = self._text(child).strip()
                made.arguments.append(t.Argument(text[1:], None, text, joined=not separated))
            else:
                self._value_element(child, made, colon=colon, separated=separated)
            separated, colon = False, False

    def _value_element(self, child: Any, made: t.Command, *, colon: bool, separated: bool) -> None:
        if child.type in OUTSIDE:
            raise self._outside(child, OUTSIDE[child.type])
        if child.type == "generic_token" and (found := GLUED.fullmatch(self._text(child).strip())):
            made.redirections.append(self._glued(child, found))
            return
        if child.type == "argument_list":
            value, separated = self._argument_list(child), True
        else:
            value = self._token(child) if child.type == "generic_token" else self.expression(child)
        text = self._text(child).strip()
        if colon and made.arguments and made.arguments[-1].name is not None:
            made.arguments[-1].value = value
            made.arguments[-1].text += ":" + text
        elif not separated and made.arguments:
            raise self._outside(child, "an argument put together without quotes")
        else:
            made.arguments.append(t.Argument(None, value, text))

    def _glued(self, node: Any, found: re.Match[str]) -> t.Redirection:
        """`2>$null` without a space."""
        stream, append, name = found.groups()
        into: t.Node = (
            t.Var(self._at(node), "", name[1:]) if re.fullmatch(r"\$\w+", name) else t.Const(self._at(node), name, name)
        )
        if "$" in name and isinstance(into, t.Const):
            raise self._outside(node, "a redirection to a name put together")
        return t.Redirection(stream or "1", into, append=bool(append))

    def _argument_list(self, node: Any) -> t.Node:
        """`New-Object T(1, 2)`: the parentheses are an argument of their own."""
        items = [
            self.expression(one.named_children[0])
            for listed in self._named(node, "argument_expression_list")
            for one in self._named(listed, "argument_expression")
        ]
        return items[0] if len(items) == 1 else t.ArrayLiteral(self._at(node), items)

    def _token(self, node: Any) -> t.Node:
        text = self._text(node).strip()
        at = self._at(node)
        if any(char in text for char in "\"'$`" + SINGLE + DOUBLE + DASHES):
            raise self._outside(node, "a quoted part, a variable or an escape within a bare word (use quotes)")
        parts = text.split(",")
        if "" in parts[1:-1] or (len(parts) > 1 and not parts[0]):
            raise parser_error("Missing argument in parameter list.", "MissingArgument", self.position(node))
        if parts[-1] == "" and len(parts) > 1:
            raise self._outside(node, "a list of bare words with spaces; use quotes")
        items: list[t.Node] = [
            t.Const(at, number_of(part) if number_of(part) is not None else part, part) for part in parts
        ]
        return items[0] if len(items) == 1 else t.ArrayLiteral(at, items)

    def _redirection(self, node: Any) -> t.Redirection:
        operator = self._text(node.named_children[0]).strip()
        stream = operator[0] if operator[0] in "123456*" else "1"
        if "&" in operator:
            if not operator.endswith("&1"):
                raise self._outside(node, operator)
            return t.Redirection(stream, None)
        if operator == "<":
            raise parser_error(
                "The '<' operator is reserved for future use.", "RedirectionNotSupported", self.position(node)
            )
        target = next(child for child in node.named_children[1].named_children if child.type != "command_argument_sep")
        into = self._token(target) if target.type == "generic_token" else self.expression(target)
        return t.Redirection(stream, into, append=operator.endswith(">>"))
