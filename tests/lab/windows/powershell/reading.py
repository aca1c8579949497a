"""From the text of a script to its tree: tree-sitter reads, this makes the small tree of it and refuses what lies outside the subset."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import tree_sitter
import tree_sitter_powershell

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.reading_commands import CommandReader
from tests.lab.windows.powershell.reading_expressions import ExpressionReader
from tests.lab.windows.powershell.reading_ground import OUTSIDE, Ground, parser_error
from tests.lab.windows.powershell.repairing import repaired
from tests.lab.windows.powershell.strings import number_of

LANGUAGE = tree_sitter.Language(tree_sitter_powershell.language())


@lru_cache(maxsize=64)
def read_script(text: str, file: str = "") -> t.Code:
    """The tree of a script; nobody changes it, so a text that is run again is not read again.

    Raises:
        Terminating: a ParserError, as PowerShell has it; nothing may run then.
        OutsideSubset: it is PowerShell, but more than the subset.
    """
    text = text.removeprefix("\ufeff")
    return Reader(text, file).script()


class Reader(CommandReader, ExpressionReader, Ground):
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

    # Statements -------------------------------------------------------------

    def statement(self, node: Any) -> t.Node:
        """One statement."""
        method = getattr(self, f"_on_{node.type}", None)
        if method is None:
            raise self._outside(node, OUTSIDE.get(node.type, node.type))
        made: t.Node = method(node)
        return made

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


_TYPE = t.Const(t.At(0, 0, ""), "type")
