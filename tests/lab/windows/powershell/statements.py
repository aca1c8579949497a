"""Statements: what each of them does and puts out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.convert import cast, to_bool, to_text
from tests.lab.windows.powershell.frames import Frame, FunctionValue, ScriptBlock
from tests.lab.windows.powershell.operators import BINARY, equal
from tests.lab.windows.powershell.patterns import compile_pattern, group_numbers, like
from tests.lab.windows.powershell.type_names import bases_of, resolve_type, type_not_found
from tests.lab.windows.powershell.values import (
    NOTHING,
    BreakFlow,
    Cancelled,
    ContinueFlow,
    EnumValue,
    ErrorRecord,
    ExitFlow,
    NetException,
    OutsideSubset,
    ReturnFlow,
    Table,
    Terminating,
)

if TYPE_CHECKING:
    from tests.lab.windows.powershell.evaluate import Interpreter as Base
else:
    Base = object


def unwrap(values: list[Any]) -> Any:
    """What an assignment gets of a pipeline: nothing, the one, or a list."""
    if not values:
        return NOTHING
    return values[0] if len(values) == 1 else values


def enumerate_value(value: Any) -> Iterable[Any]:
    """What a pipeline makes of a value: the items of a list, everything else as it is."""
    if isinstance(value, list):
        return list(value)
    return [value]


class Statements(Base):
    """The part of the interpreter that runs statements."""

    def statements(self, nodes: list[t.Node], frame: Frame) -> Iterator[Any]:
        """Run statements one after the other; an error that ends a statement is written, and the next one runs, unless it ends more."""
        for node in nodes:
            self.check_cancelled()
            try:
                yield from self.statement(node, frame)
            except Terminating as error:
                self.locate(error.record, node.at, frame)
                if error.everywhere or self.trying:
                    raise
                preference = self.preference("ErrorActionPreference", frame)
                if preference == "Stop":
                    error.everywhere = True
                    raise
                self.ok = False
                self.remember(error.record)
                if preference not in ("SilentlyContinue", "Ignore"):
                    self.emit("error", error.record)

    def statement(self, node: t.Node, frame: Frame) -> Iterator[Any]:
        """Run one statement."""
        return getattr(self, "_run_" + type(node).__name__.casefold())(node, frame)  # type: ignore[no-any-return]

    def collect(self, node: t.Node, frame: Frame) -> Any:
        """The value of a statement: None, the one or a list."""
        return unwrap(list(self.statement(node, frame)))

    def condition(self, node: t.Node, frame: Frame) -> bool:
        """The truth of a pipeline."""
        value = self.collect(node, frame)
        return to_bool(None if value is NOTHING else value)

    def _run_assign(self, node: t.Assign, frame: Frame) -> Iterator[Any]:
        value = self._assigned_value(node.value, frame)
        if node.operator != "=":
            value = None if value is NOTHING else value
            value = self.located(
                node, frame, lambda: BINARY[node.operator[0]](self.evaluate(node.target, frame), value)
            )
        self.assign(node.target, value, frame)
        return iter(())

    def _assigned_value(self, node: t.Node, frame: Frame) -> Any:
        if (
            isinstance(node, t.Pipeline)
            and len(node.stages) == 1
            and isinstance(node.stages[0], t.Expression)
            and not node.stages[0].redirections
        ):
            inner = node.stages[0].value
            if not isinstance(inner, t.SubExpression | t.Paren):
                self.ok = True
                return self.evaluate(inner, frame)
        if isinstance(node, t.Assign):
            for _ in self.statement(node, frame):
                pass
            return self.evaluate(node.target, frame)
        return self.collect(node, frame)

    def _run_if(self, node: t.If, frame: Frame) -> Iterator[Any]:
        for condition, body in node.branches:
            if self.condition(condition, frame):
                yield from self.statements(body, frame)
                return
        yield from self.statements(node.otherwise or [], frame)

    def _run_foreach(self, node: t.ForEach, frame: Frame) -> Iterator[Any]:
        value = self.collect(node.subject, frame)
        items = [] if value is NOTHING or value is None else enumerate_value(value)
        for item in items:
            self.assign(node.variable, item, frame)
            try:
                yield from self.statements(node.body, frame)
            except ContinueFlow:
                continue
            except BreakFlow:
                break

    def _run_for(self, node: t.For, frame: Frame) -> Iterator[Any]:
        if node.first is not None:
            for _ in self.statement(node.first, frame):
                pass
        while node.condition is None or self.condition(node.condition, frame):
            self.check_cancelled()
            try:
                yield from self.statements(node.body, frame)
            except ContinueFlow:
                pass
            except BreakFlow:
                break
            if node.step is not None:
                for _ in self.statement(node.step, frame):
                    pass

    def _run_loop(self, node: t.Loop, frame: Frame) -> Iterator[Any]:
        if not node.test_last and not self.condition(node.condition, frame):
            return
        while True:
            self.check_cancelled()
            try:
                yield from self.statements(node.body, frame)
            except ContinueFlow:
                pass
            except BreakFlow:
                break
            if self.condition(node.condition, frame) is node.until:
                break

    def _run_switch(self, node: t.Switch, frame: Frame) -> Iterator[Any]:
        value = self.collect(node.subject, frame)
        for item in [None] if value is NOTHING or value is None else enumerate_value(value):
            inner = replace(frame, underscore=item, has_underscore=True)
            try:
                yield from self._switch_item(node, item, inner)
            except ContinueFlow:
                continue
            except BreakFlow:
                break

    def _switch_item(self, node: t.Switch, item: Any, frame: Frame) -> Iterator[Any]:
        matched = False
        for condition, body in node.clauses:
            if condition is not None and self._switch_fits(node, condition, item, frame):
                matched = True
                yield from self.statements(body, frame)
        for condition, body in node.clauses:
            if condition is None and not matched:
                yield from self.statements(body, frame)

    def _switch_fits(self, node: t.Switch, condition: t.Node, item: Any, frame: Frame) -> bool:
        if isinstance(condition, t.BlockExpression):
            made = unwrap(list(self.run_block(ScriptBlock(condition.code, frame), [], item)))
            return to_bool(None if made is NOTHING else made)
        wanted = self.evaluate(condition, frame)
        cased = "casesensitive" in node.options
        if "regex" in node.options:
            found = compile_pattern(to_text(wanted), cased=cased).search(to_text(item))
            if found is not None:
                self.set_matches(found, frame)
            return found is not None
        if "wildcard" in node.options:
            return like(to_text(item), to_text(wanted), cased=cased)
        if isinstance(item, EnumValue):
            return equal(item, wanted)
        if isinstance(item, str) or isinstance(wanted, str):
            return equal(to_text(item), to_text(wanted), cased=cased)
        return equal(item, wanted, cased=cased)

    def set_matches(self, found: re.Match[str], frame: Frame) -> None:
        """Set `$Matches` from a match."""
        table = Table({0: found[0]})
        names = {number: name for name, number in found.re.groupindex.items()}
        for place, number in enumerate(group_numbers(found.re)):
            if number and found[number] is not None:
                table[names.get(number, place)] = found[number]
        frame.scope.set("Matches", table)

    def _run_function(self, node: t.Function, frame: Frame) -> Iterator[Any]:
        scope, name = frame.scope, node.name
        if ":" in name:
            prefix, _, name = name.partition(":")
            scope = {"global": self.global_scope, "script": frame.script_scope, "local": frame.scope}.get(
                prefix.casefold(), frame.scope
            )
        scope.functions[name.casefold()] = FunctionValue(name, node.code, frame.script_scope, frame.source.file)
        return iter(())

    def _run_flow(self, node: t.Flow, frame: Frame) -> Iterator[Any]:
        if node.kind == "break":
            raise BreakFlow
        if node.kind == "continue":
            raise ContinueFlow
        if node.kind == "return":
            if node.value is not None:
                yield from self.statement(node.value, frame)
            raise ReturnFlow
        if node.kind == "exit":
            value = self.collect(node.value, frame) if node.value is not None else 0
            try:
                raise ExitFlow(0 if value is NOTHING else cast(value, "System.Int32"))
            except Terminating:
                raise ExitFlow(0) from None
        raise self._thrown(node, frame)

    def _thrown(self, node: t.Flow, frame: Frame) -> Terminating:
        value = self.collect(node.value, frame) if node.value is not None else NOTHING
        if value is NOTHING or value is None:
            if frame.caught is not None and node.value is None:
                return Terminating(frame.caught, everywhere=True)
            record = ErrorRecord("ScriptHalted", "ScriptHalted", "OperationStopped")
        elif isinstance(value, ErrorRecord):
            return Terminating(value, everywhere=True)
        elif isinstance(value, NetException):
            record = ErrorRecord(value.message, value.message, "OperationStopped", None, value)
        else:
            record = ErrorRecord(to_text(value), to_text(value), "OperationStopped", value)
        record.qualified = record.error_id
        self.locate(record, node.at, frame)
        return Terminating(record, everywhere=True)

    def _run_try(self, node: t.Try, frame: Frame) -> Iterator[Any]:
        pending: BaseException | None = None
        try:
            yield from self._tried(node, frame)
        except (OutsideSubset, Cancelled):
            raise
        except GeneratorExit:
            for _ in self.statements(node.last or [], frame):
                pass
            raise
        except BaseException as error:
            pending = error
        yield from self.statements(node.last or [], frame)
        if pending is not None:
            raise pending

    def _tried(self, node: t.Try, frame: Frame) -> Iterator[Any]:
        depth = self.trying
        try:
            self.trying = depth + (1 if node.catches else 0)
            yield from self.statements(node.body, frame)
        except Terminating as error:
            self.trying = depth
            body = self._handler(node, error.record)
            if body is None:
                raise
            self.remember(error.record)
            self.ok = False
            yield from self.statements(
                body, replace(frame, underscore=error.record, has_underscore=True, caught=error.record)
            )
        finally:
            self.trying = depth

    def _handler(self, node: t.Try, record: ErrorRecord) -> list[t.Node] | None:
        chain: list[NetException] = [record.thrown()]
        while (inner := chain[-1].inner) is not None:
            chain.append(inner)
        general = None
        for types, body in node.catches:
            if not types:
                general = general or body
            for written in types:
                name = resolve_type(written)
                if name is None:
                    if not any(
                        written.casefold() == base.casefold() for one in chain for base in bases_of(one.type_name)
                    ):
                        raise type_not_found(written)
                    return body
                if any(name in bases_of(one.type_name) or name == "System.Exception" for one in chain):
                    return body
        return general

    def _run_pipeline(self, node: t.Pipeline, frame: Frame) -> Iterator[Any]:
        return self.pipeline(node, frame)
