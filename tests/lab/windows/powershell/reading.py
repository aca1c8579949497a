"""From the text of a script to its tree: tree-sitter reads, this makes the small tree of it and refuses what lies outside the subset."""

from __future__ import annotations

import re
from typing import Any

import tree_sitter
import tree_sitter_powershell

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.repairing import repaired
from tests.lab.windows.powershell.strings import ESCAPES, number_of
from tests.lab.windows.powershell.values import ErrorRecord, OutsideSubset, Position, Terminating

LANGUAGE = tree_sitter.Language(tree_sitter_powershell.language())
OUTSIDE = {
    "class_statement": "class",
    "enum_statement": "enum",
    "trap_statement": "trap",
    "data_statement": "data",
    "inlinescript_statement": "inlinescript",
    "parallel_statement": "parallel",
    "sequence_statement": "sequence",
    "stop_parsing": "--%",
    "verbatim_command_argument": "--%",
}
RANGE = re.compile(r"(-?\d+|\$\w+)\.\.(-?\d+|\$\w+)")
SINGLE = "'\u2018\u2019\u201a\u201b"  # all of them quote; about_Quoting_Rules and section 2.3.5.2 of the language specification
DOUBLE = '"\u201c\u201d\u201e'
DASHES = "\u2013\u2014\u2015"
GLUED = re.compile(r"([1-6*]?)>(>?)(\S+)")
VARIABLE = re.compile(r"[$@]\{?(?:(\w+):)?([^}]*?)\}?$", re.DOTALL)


def read_script(text: str, file: str = "") -> t.Code:
    """The tree of a script.

    Raises:
        Terminating: a ParserError, as PowerShell has it; nothing may run then.
        OutsideSubset: it is PowerShell, but more than the subset.
    """
    text = text.removeprefix("\ufeff")
    return Reader(text, file).script()


def parser_error(message: str, error_id: str, position: Position) -> Terminating:
    """PowerShell's ParserError."""
    record = ErrorRecord(
        error_id, message, "ParserError", None, "System.Management.Automation.ParentContainsErrorRecordException"
    )
    record.reason, record.qualified, record.position = "ParentContainsErrorRecordException", error_id, position
    return Terminating(record)


class Reader:
    """Reads one text."""

    def __init__(self, text: str, file: str) -> None:
        self.crlf = "\r\n" in text
        plain = text.replace("\r\n", "\n")
        self.source = t.Source(plain, file, plain.split("\n"))
        self.bytes = (plain if plain.endswith("\n") else plain + "\n").encode()

    def script(self) -> t.Code:
        """The whole script."""
        if not re.sub(r"(?s)<#.*?#>|#[^\n]*", "", self.source.text).strip():
            return t.Code(t.At(1, 1, ""), source=self.source)
        root = tree_sitter.Parser(LANGUAGE).parse(self.bytes).root_node
        if root.has_error:
            root = self._second_reading(root)
        requires = [
            line.strip()[1:].strip()[8:].strip()
            for line in self.source.lines
            if re.match(r"\s*#requires\s", line, re.IGNORECASE)
        ]
        code = self._code(root, root)
        code.requires = requires
        return code

    def _second_reading(self, root: Any) -> Any:
        first, self.bytes = self.bytes, repaired(self.bytes.decode()).encode()
        again = tree_sitter.Parser(LANGUAGE).parse(self.bytes).root_node
        if not again.has_error:
            return again
        self.bytes = first
        self._refuse_errors(root)
        return root

    def position(self, node: Any) -> Position:
        """Where a node of tree-sitter stands."""
        at = self._at(node)
        line = self.source.lines[at.line - 1] if at.line <= len(self.source.lines) else ""
        return Position(self.source.file, at.line, at.column, line, at.text)

    def _refuse_errors(self, node: Any) -> None:
        if not node.has_error:
            return
        worst = self._first_error(node)
        token = self._text(worst).strip().split("\n")[0][:40]
        message = (
            f"Missing '{worst.type}' in the script."
            if worst.is_missing
            else f"Unexpected token '{token}' in expression or statement."
        )
        raise parser_error(message, "MissingToken" if worst.is_missing else "UnexpectedToken", self.position(worst))

    def _first_error(self, node: Any) -> Any:
        if node.type == "ERROR" or node.is_missing:
            return node
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        return node if inner is None else self._first_error(inner)

    def _text(self, node: Any) -> str:
        return self.bytes[node.start_byte : node.end_byte].decode()

    def _at(self, node: Any) -> t.At:
        raw = self._text(node)
        lead = len(raw) - len(raw.lstrip())
        row, column = node.start_point
        before = raw[:lead]
        if "\n" in before:
            row, column = row + before.count("\n"), len(before) - before.rfind("\n") - 1
        else:
            column += lead
        line = self.source.lines[row] if row < len(self.source.lines) else ""
        column = len(line.encode()[:column].decode(errors="ignore"))
        return t.At(row + 1, column + 1, raw.strip())

    def _outside(self, node: Any, what: str) -> OutsideSubset:
        at = self._at(node)
        return OutsideSubset(f"{what} lies outside the subset (line {at.line}, column {at.column}: {at.text[:60]})")

    # Blocks -----------------------------------------------------------------

    def _code(self, node: Any, whole: Any) -> t.Code:
        code = t.Code(self._at(whole), source=self.source)
        for child in node.named_children:
            self._code_part(child, code)
        return code

    def _code_part(self, child: Any, code: t.Code) -> None:
        if child.type == "param_block":
            self._param_block(child, code)
        elif child.type in ("script_block_body", "script_block"):
            for inner in child.named_children:
                self._code_part(inner, code)
        elif child.type == "named_block_list":
            for block in child.named_children:
                self._named_block(block, code)
        elif child.type == "statement_list":
            code.end.extend(self._statements(child))
        elif child.type != "comment":
            raise self._outside(child, child.type)

    def _named_block(self, node: Any, code: t.Code) -> None:
        name = self._text(node.named_children[0]).strip().casefold()
        body = self._block(node.named_children[1])
        if name == "process":
            code.process = body
        elif name in ("begin", "end"):
            setattr(code, name, body)
        else:
            raise self._outside(node, name)

    def _param_block(self, node: Any, code: t.Code) -> None:
        for child in node.named_children:
            if child.type == "attribute_list":
                code.attributes.extend(self._attributes(child))
            elif child.type == "parameter_list":
                code.parameters.extend(self._parameters(child))

    def _parameters(self, node: Any) -> list[t.Parameter]:
        return [self._parameter(child) for child in node.named_children if child.type == "script_parameter"]

    def _parameter(self, node: Any) -> t.Parameter:
        attributes: list[t.Attribute] = []
        default, name = None, ""
        for child in node.named_children:
            if child.type == "attribute_list":
                attributes = self._attributes(child)
            elif child.type == "variable":
                name = self._variable(child).name
            elif child.type == "script_parameter_default":
                default = self.expression(child.named_children[-1])
        types = [one.name for one in attributes if one.named.get("") is not None or one.positional == [_TYPE]]
        rest = [one for one in attributes if one.positional != [_TYPE]]
        return t.Parameter(name, types[-1] if types else "", rest, default)

    def _attributes(self, node: Any) -> list[t.Attribute]:
        return [self._attribute(child) for child in node.named_children if child.type == "attribute"]

    def _attribute(self, node: Any) -> t.Attribute:
        kinds = {child.type: child for child in node.named_children}
        if "type_literal" in kinds:
            return t.Attribute(self._type_name(kinds["type_literal"]), [_TYPE], {})
        made = t.Attribute(self._type_name(kinds["attribute_name"]), [], {})
        for argument in kinds["attribute_arguments"].named_children if "attribute_arguments" in kinds else ():
            if argument.type != "attribute_argument":
                continue
            parts = argument.named_children
            if parts[0].type == "simple_name":
                made.named[self._text(parts[0]).strip().casefold()] = (
                    self.expression(parts[1]) if len(parts) > 1 else None
                )
            else:
                made.positional.append(self.expression(parts[0]))
        return made

    def _type_name(self, node: Any) -> str:
        return (
            re.sub(r"\s+", "", self._text(node)).removeprefix("[").removesuffix("]")
            if node.type == "type_literal"
            else re.sub(r"\s+", "", self._text(node))
        )

    def _block(self, node: Any) -> list[t.Node]:
        found = [child for child in node.named_children if child.type == "statement_list"]
        return self._statements(found[0]) if found else []

    def _statements(self, node: Any) -> list[t.Node]:
        return [
            self.statement(child)
            for child in node.named_children
            if child.type not in ("comment", "empty_statement", "label")
        ]

    # Statements -------------------------------------------------------------

    def statement(self, node: Any) -> t.Node:
        """One statement."""
        method = getattr(self, f"_on_{node.type}", None)
        if method is None:
            raise self._outside(node, OUTSIDE.get(node.type, node.type))
        made: t.Node = method(node)
        return made

    def _named(self, node: Any, *kinds: str) -> list[Any]:
        return [child for child in node.named_children if child.type in kinds]

    def _condition(self, node: Any) -> t.Node:
        return self.statement(self._named(node, "pipeline")[0])

    def _on_if_statement(self, node: Any) -> t.Node:
        branches = [(self._condition(node), self._block(self._named(node, "statement_block")[0]))]
        for clauses in self._named(node, "elseif_clauses"):
            branches.extend(
                (self._condition(clause), self._block(self._named(clause, "statement_block")[0]))
                for clause in self._named(clauses, "elseif_clause")
            )
        last = self._named(node, "else_clause")
        otherwise = self._block(self._named(last[0], "statement_block")[0]) if last else None
        return t.If(self._at(node), branches, otherwise)

    def _on_switch_statement(self, node: Any) -> t.Node:
        options = {
            self._text(one).strip().casefold()[1:]
            for group in self._named(node, "switch_parameters")
            for one in group.children
        }
        if options - {"regex", "wildcard", "exact", "casesensitive"}:
            raise self._outside(node, "switch -parallel")
        condition = self._named(node, "switch_condition")[0]
        if not self._named(condition, "pipeline"):
            raise self._outside(node, "switch -file")
        clauses = []
        for body in self._named(node, "switch_body"):
            for group in self._named(body, "switch_clauses"):
                clauses = [self._switch_clause(clause) for clause in self._named(group, "switch_clause")]
        return t.Switch(self._at(node), options, self._condition(condition), clauses)

    def _switch_clause(self, node: Any) -> tuple[t.Node | None, list[t.Node]]:
        head = self._named(node, "switch_clause_condition")[0]
        body = self._block(self._named(node, "statement_block")[0])
        text = self._text(head).strip()
        inner = [child for child in head.named_children if child.type != "comment"]
        if text.casefold() == "default":
            return None, body
        if not inner and text.startswith('"'):
            (only,) = Reader(text, self.source.file).script().end
            assert isinstance(only, t.Pipeline)
            assert isinstance(only.stages[0], t.Expression)
            return only.stages[0].value, body
        if not inner or inner[0].type == "generic_token":
            return t.Const(self._at(head), number_of(text) if number_of(text) is not None else text, text), body
        return self.expression(inner[0]), body

    def _on_foreach_statement(self, node: Any) -> t.Node:
        if self._named(node, "foreach_parameter"):
            raise self._outside(node, "foreach -parallel")
        variable = self._variable(self._named(node, "variable")[0])
        return t.ForEach(
            self._at(node), variable, self._condition(node), self._block(self._named(node, "statement_block")[0])
        )

    def _on_for_statement(self, node: Any) -> t.Node:
        parts = {
            name: self._condition(found[0]) if (found := self._named(node, name)) else None
            for name in ("for_initializer", "for_condition", "for_iterator")
        }
        body = self._block(self._named(node, "statement_block")[0])
        return t.For(self._at(node), parts["for_initializer"], parts["for_condition"], parts["for_iterator"], body)

    def _on_while_statement(self, node: Any) -> t.Node:
        condition = self._condition(self._named(node, "while_condition")[0])
        return t.Loop(
            self._at(node),
            condition,
            self._block(self._named(node, "statement_block")[0]),
            test_last=False,
            until=False,
        )

    def _on_do_statement(self, node: Any) -> t.Node:
        condition = self._condition(self._named(node, "while_condition")[0])
        until = any(child.type == "until" for child in node.children)
        return t.Loop(
            self._at(node), condition, self._block(self._named(node, "statement_block")[0]), test_last=True, until=until
        )

    def _on_function_statement(self, node: Any) -> t.Node:
        kind = self._text(node.children[0]).strip().casefold()
        if kind == "workflow":
            raise self._outside(node, "workflow")
        blocks = self._named(node, "script_block")
        code = self._code(blocks[0], node) if blocks else t.Code(self._at(node), source=self.source)
        for block in self._named(node, "param_block"):
            self._param_block(block, code)
        for declared in self._named(node, "function_parameter_declaration"):
            for listed in self._named(declared, "parameter_list"):
                code.parameters = self._parameters(listed)
        if kind == "filter" and code.process is None:
            code.process, code.end = code.end, []
        return t.Function(self._at(node), self._text(self._named(node, "function_name")[0]).strip(), code)

    def _on_flow_control_statement(self, node: Any) -> t.Node:
        kind = self._text(node.children[0]).strip().casefold()
        if self._named(node, "label_expression"):
            raise self._outside(node, "a label")
        found = self._named(node, "pipeline")
        return t.Flow(self._at(node), kind, self.statement(found[0]) if found else None)

    def _on_try_statement(self, node: Any) -> t.Node:
        catches = []
        for clauses in self._named(node, "catch_clauses"):
            for clause in self._named(clauses, "catch_clause"):
                types = [
                    self._type_name(one)
                    for group in self._named(clause, "catch_type_list")
                    for one in self._named(group, "type_literal")
                ]
                catches.append((types, self._block(self._named(clause, "statement_block")[0])))
        last = self._named(node, "finally_clause")
        if not catches and not last:
            raise parser_error(
                "The Try statement is missing its Catch or Finally block.", "MissingCatchOrFinally", self.position(node)
            )
        finally_body = self._block(self._named(last[0], "statement_block")[0]) if last else None
        return t.Try(self._at(node), self._block(self._named(node, "statement_block")[0]), catches, finally_body)

    def _on_pipeline(self, node: Any) -> t.Node:
        children = [child for child in node.named_children if child.type != "comment"]
        if children[0].type == "assignment_expression":
            return self._assignment(children[0])
        chains = self._named(node, "pipeline_chain")
        if len(chains) > 1:
            token = next((child for child in node.children if child.type in ("&&", "||")), node)
            raise parser_error(
                f"The token '{token.type}' is not a valid statement separator in this version.",
                "InvalidEndOfLine",
                self.position(token),
            )
        if any(child.type == "&" for child in node.children):
            raise parser_error(
                "The ampersand (&) character is not allowed.", "AmpersandNotAllowed", self.position(node)
            )
        return self._chain(chains[0] if chains else node)

    def _chain(self, node: Any) -> t.Node:
        stages: list[t.Node] = []
        for child in node.named_children:
            if child.type == "comment":
                continue
            if child.type == "command":
                stages.append(self._command(child))
            elif child.type == "redirections":
                first = stages[-1]
                assert isinstance(first, t.Expression)
                first.redirections.extend(self._redirection(one) for one in self._named(child, "redirection"))
            elif child.type == "verbatim_command_argument":
                raise self._outside(child, "--%")
            else:
                stages.append(t.Expression(self._at(child), self.expression(child), []))
        return t.Pipeline(self._at(node), stages)

    def _assignment(self, node: Any) -> t.Node:
        children = [child for child in node.named_children if child.type != "comment"]
        operator = self._text(children[1]).strip()
        if operator not in ("=", "+=", "-=", "*=", "/=", "%="):
            raise parser_error(
                f"Unexpected token '{operator}' in expression or statement.",
                "UnexpectedToken",
                self.position(children[1]),
            )
        target = self.expression(children[0].named_children[0])
        self._check_target(target, children[0])
        return t.Assign(self._at(node), target, operator, self.statement(children[2]))

    def _check_target(self, target: t.Node, node: Any) -> None:
        inner = target.operand if isinstance(target, t.Cast) else target
        if isinstance(inner, t.ArrayLiteral):
            for item in inner.items:
                self._check_target(item, node)
        elif not isinstance(inner, t.Var | t.Member | t.Index):
            raise parser_error(
                "The assignment expression is not valid. The input to an assignment operator must be an object that is able to accept "
                "assignments, such as a variable or a property.",
                "InvalidLeftHandSide",
                self.position(node),
            )

    # Commands ---------------------------------------------------------------

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

    # Expressions ------------------------------------------------------------

    def expression(self, node: Any) -> t.Node:
        """One expression."""
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

    # Strings ----------------------------------------------------------------

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


_TYPE = t.Const(t.At(0, 0, ""), "type")
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
