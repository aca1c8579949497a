"""Reads expressions and texts."""

from __future__ import annotations

import re
from typing import Any

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.reading_ground import DOUBLE, OUTSIDE, SINGLE, Ground, parser_error
from tests.lab.windows.powershell.strings import ESCAPES, number_of
from tests.lab.windows.powershell.values import OutsideSubset

VARIABLE = re.compile(r"[$@]\{?(?:(\w+):)?([^}]*?)\}?$", re.DOTALL)


_OWN = {
    "parenthesized_expression",
    "script_block_expression",
    "hash_literal_expression",
    "array_expression",
    "sub_expression",
    "cast_expression",
    "invokation_expression",
    "pre_increment_expression",
    "pre_decrement_expression",
    "post_increment_expression",
    "post_decrement_expression",
    "key_expression",
}


class ExpressionReader(Ground):
    """Reads expressions and texts."""

    def expression(self, node: Any) -> t.Node:
        """One expression; a grammar's chain of levels with nothing of their own is passed over."""
        while node.child_count == 1 and node.type.endswith("_expression") and node.type not in _OWN:
            node = node.children[0]
        children = [child for child in node.named_children if child.type != "comment"]
        if node.type.endswith("_expression") and node.type not in _OWN:
            return self._chained(node)
        method = getattr(self, f"_of_{node.type}", None)
        if method is not None:
            made: t.Node = method(node)
            return made
        if len(children) == 1 and node.type in (
            "_literal",
            "unary_expression",
            "expression_with_unary_operator",
            "key_expression",
        ):
            return self.expression(children[0])
        raise self._outside(node, OUTSIDE.get(node.type, node.type))

    def _chained(self, node: Any) -> t.Node:
        children = [child for child in node.children if child.type != "comment"]
        if len(children) == 1:
            return self.expression(children[0])
        if node.type == "array_literal_expression":
            return self._array_literal(node)
        if len(children) != 3:
            raise parser_error("Unexpected token in expression or statement.", "UnexpectedToken", self.position(node))
        operator = self._text(children[1]).strip().casefold()
        if operator == "\\" or operator in ("?", "??"):
            raise parser_error(
                f"Unexpected token '{operator}' in expression or statement.",
                "UnexpectedToken",
                self.position(children[1]),
            )
        return t.Binary(self._at(node), operator, self.expression(children[0]), self.expression(children[2]))

    def _array_literal(self, node: Any) -> t.Node:
        items: list[t.Node] = []
        for child in node.children:
            if child.type in (",", "comment"):
                continue
            made = (
                self._array_literal(child)
                if child.type == "array_literal_expression" and len(child.children) > 1
                else self.expression(child)
            )
            items.extend(
                made.items
                if child.type == "array_literal_expression"
                and len(child.children) > 1
                and isinstance(made, t.ArrayLiteral)
                else [made]
            )
        return t.ArrayLiteral(self._at(node), items)

    def _of_expression_with_unary_operator(self, node: Any) -> t.Node:
        children = [child for child in node.children if child.type != "comment"]
        if len(children) == 1:
            return self.expression(children[0])
        operator = self._text(children[0]).strip().casefold()
        operand = self.expression(children[1])
        if operator == "-" and isinstance(operand, t.Const) and isinstance(operand.value, int | float):
            return t.Const(self._at(node), number_of("-" + operand.token), "-" + operand.token)
        return t.Unary(self._at(node), operator, operand)

    def _of_pre_increment_expression(self, node: Any) -> t.Node:
        return t.Step(self._at(node), self.expression(node.named_children[0]), 1, after=False)

    def _of_pre_decrement_expression(self, node: Any) -> t.Node:
        return t.Step(self._at(node), self.expression(node.named_children[0]), -1, after=False)

    def _of_post_increment_expression(self, node: Any) -> t.Node:
        return t.Step(self._at(node), self.expression(node.named_children[0]), 1, after=True)

    def _of_post_decrement_expression(self, node: Any) -> t.Node:
        return t.Step(self._at(node), self.expression(node.named_children[0]), -1, after=True)

    def _of_cast_expression(self, node: Any) -> t.Node:
        parts = [child for child in node.named_children if child.type != "comment"]
        return t.Cast(self._at(node), self._type_name(parts[0]), self.expression(parts[1]))

    def _of_parenthesized_expression(self, node: Any) -> t.Node:
        return t.Paren(self._at(node), self.statement(self._named(node, "pipeline")[0]))

    def _of_sub_expression(self, node: Any) -> t.Node:
        return t.SubExpression(self._at(node), self._block(node))

    def _of_array_expression(self, node: Any) -> t.Node:
        return t.ArrayExpression(self._at(node), self._block(node))

    def _of_script_block_expression(self, node: Any) -> t.Node:
        inner = self._named(node, "script_block")
        code = self._code(inner[0], node) if inner else t.Code(self._at(node), source=self.source)
        for block in self._named(node, "param_block"):
            self._param_block(block, code)
        return t.BlockExpression(self._at(node), code)

    def _of_hash_literal_expression(self, node: Any) -> t.Node:
        entries = []
        for body in self._named(node, "hash_literal_body"):
            for entry in self._named(body, "hash_entry"):
                parts = [child for child in entry.named_children if child.type not in ("comment", "empty_statement")]
                entries.append((self._key(parts[0]), self.statement(parts[1])))
        return t.HashLiteral(self._at(node), entries)

    def _key(self, node: Any) -> t.Node:
        inner = node.named_children[0]
        if inner.type == "simple_name":
            return t.Const(self._at(inner), self._text(inner).strip(), self._text(inner).strip())
        return self.expression(inner)

    def _of_type_literal(self, node: Any) -> t.Node:
        return t.TypeLiteral(self._at(node), self._type_name(node))

    def _of_variable(self, node: Any) -> t.Node:
        return self._variable(node)

    def _variable(self, node: Any) -> t.Var:
        text = self._text(node).strip()
        found = VARIABLE.match(text)
        assert found is not None
        scope, name = (found[1] or "").casefold(), found[2]
        if scope in ("using", "workflow"):
            raise self._outside(node, f"${scope}:")
        return t.Var(self._at(node), scope, name, splat=text.startswith("@"))

    def _of_integer_literal(self, node: Any) -> t.Node:
        text = self._text(node).strip()
        return t.Const(self._at(node), number_of(text), text)

    _of_real_literal = _of_integer_literal

    def _of_member_access(self, node: Any) -> t.Node:
        return t.Member(
            self._at(node), self.expression(node.named_children[0]), self._member_name(node), self._static(node)
        )

    def _of_invokation_expression(self, node: Any) -> t.Node:
        if self._named(node, "invokation_foreach_expression"):
            raise self._outside(node, ".foreach")
        arguments = []
        for group in self._named(node, "argument_list"):
            for listed in self._named(group, "argument_expression_list"):
                arguments = [
                    self.expression(one.named_children[0]) for one in self._named(listed, "argument_expression")
                ]
        return t.Invoke(
            self._at(node),
            self.expression(node.named_children[0]),
            self._member_name(node),
            arguments,
            self._static(node),
        )

    def _of_element_access(self, node: Any) -> t.Node:
        parts = [child for child in node.named_children if child.type != "comment"]
        return t.Index(self._at(node), self.expression(parts[0]), self.expression(parts[1]))

    def _static(self, node: Any) -> bool:
        return any(child.type == "::" for child in node.children)

    def _member_name(self, node: Any) -> t.Node:
        name = self._named(node, "member_name")[0]
        inner = name.named_children[0] if name.named_children else name
        if inner.type in ("simple_name", "member_name"):
            return t.Const(self._at(inner), self._text(inner).strip())
        return self.expression(inner)

    def _of_string_literal(self, node: Any) -> t.Node:
        return self.expression(node.named_children[0])

    def _of_verbatim_string_characters(self, node: Any) -> t.Node:
        inner = self._text(node).strip()[1:-1]
        if re.search(f"[{SINGLE}]", re.sub(f"[{SINGLE}]{{2}}", "", inner)):
            raise self._outside(node, "a text that a typographic quotation mark ends")
        return t.Const(self._at(node), self._ends(re.sub(f"[{SINGLE}]([{SINGLE}])", r"\1", inner)), self._at(node).text)

    def _of_verbatim_here_string_characters(self, node: Any) -> t.Node:
        return t.Const(self._at(node), self._ends(self._here(self._text(node).strip())))

    def _ends(self, text: str) -> str:
        return text.replace("\n", "\r\n") if self.crlf else text

    def _here(self, text: str) -> str:
        if re.search(f"\n[{SINGLE}{DOUBLE}]@", text[:-2]):
            raise OutsideSubset("a here-string that a typographic quotation mark ends lies outside the subset")
        body = text[text.index("\n") + 1 :]
        return body[: body.rindex("\n")] if "\n" in body else ""

    def _of_expandable_string_literal(self, node: Any) -> t.Node:
        whole = self._text(node)
        start = node.start_byte + len(whole[: whole.index('"') + 1].encode())
        return self._expanded(node, start, node.end_byte - 1, doubled=True)

    def _of_expandable_here_string_literal(self, node: Any) -> t.Node:
        whole = self._text(node)
        start = whole.index("\n") + 1
        end = whole.rindex("\n")
        if end < start:
            return t.Const(self._at(node), "")
        return self._expanded(
            node,
            node.start_byte + len(whole[:start].encode()),
            node.start_byte + len(whole[:end].encode()),
            doubled=False,
        )

    def _expanded(self, node: Any, start: int, end: int, *, doubled: bool) -> t.Node:
        parts: list[Any] = []
        place = start
        for child in node.named_children:
            if child.type not in ("variable", "sub_expression") or child.start_byte < place:
                continue
            raw = self.bytes[child.start_byte : child.end_byte].decode()
            lead = len(raw) - len(raw.lstrip())
            parts.append(self._plain(self.bytes[place : child.start_byte + lead].decode(), doubled=doubled))
            if child.type == "variable" and "{" not in raw:
                self._check_drive(child)
            parts.append(self.expression(child))
            place = child.end_byte
        parts.append(self._plain(self.bytes[place:end].decode(), doubled=doubled))
        kept = [part for part in parts if part != ""]
        if all(isinstance(part, str) for part in kept):
            return t.Const(self._at(node), "".join(kept), self._at(node).text)
        return t.Expand(self._at(node), kept)

    def _check_drive(self, node: Any) -> None:
        after = self.bytes[node.end_byte : node.end_byte + 2]
        if after[:1] == b":" and after != b"::":
            raise parser_error(
                "Variable reference is not valid. ':' was not followed by a valid variable name character. Consider using ${} to delimit the name.",
                "InvalidVariableReferenceWithDrive",
                self.position(node),
            )

    def _plain(self, text: str, *, doubled: bool) -> str:
        made: list[str] = []
        place = 0
        while place < len(text):
            char = text[place]
            if char == "`" and place + 1 < len(text):
                place += 1
                made.append(ESCAPES.get(text[place], text[place]))
            elif char in DOUBLE and doubled:
                place += 1
                if text[place : place + 1] not in [*DOUBLE]:
                    raise OutsideSubset("a text that a typographic quotation mark ends lies outside the subset")
                made.append(text[place])
            else:
                made.append("\r\n" if char == "\n" and self.crlf else char)
            place += 1
        return "".join(made)
