"""Expressions: their values, and what can be assigned to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.convert import cast, to_bool, to_text
from tests.lab.windows.powershell.frames import Frame, ScriptBlock, bound_value
from tests.lab.windows.powershell.netlists import NetList
from tests.lab.windows.powershell.operators import BINARY, number, runtime, sized
from tests.lab.windows.powershell.patterns import compile_pattern
from tests.lab.windows.powershell.statements import unwrap
from tests.lab.windows.powershell.statics import ENUMS, enum
from tests.lab.windows.powershell.type_names import resolve_type, type_not_found
from tests.lab.windows.powershell.values import (
    NOTHING,
    EnumValue,
    ErrorRecord,
    Int64,
    NetException,
    OutsideSubset,
    PsObject,
    Reference,
    Table,
    Terminating,
    TypeValue,
    custom,
    integer_kind,
)

if TYPE_CHECKING:
    from tests.lab.windows.powershell.evaluate import Interpreter as Base
else:
    Base = object


class Expressions(Base):
    """The part of the interpreter that works out expressions."""

    def evaluate(self, node: t.Node, frame: Frame) -> Any:
        """The value of an expression."""
        value = self.raw(node, frame)
        return None if value is NOTHING else value

    def raw(self, node: t.Node, frame: Frame) -> Any:
        """The value, where a pipeline without output is told apart from `$null`."""
        return getattr(self, "_value_" + type(node).__name__.casefold())(node, frame)

    def located(self, node: t.Node, frame: Frame, work: Callable[[], Any]) -> Any:
        """Do something; an error is placed at this node."""
        try:
            return work()
        except Terminating as error:
            self.locate(error.record, node.at, frame)
            raise
        except ZeroDivisionError:
            raise AssertionError from None

    def _value_const(self, node: t.Const, frame: Frame) -> Any:
        return node.value

    def _value_expand(self, node: t.Expand, frame: Frame) -> str:
        joint = frame.scope.find("OFS")
        separator = " " if joint is None else to_text(joint.value)
        return "".join(part if isinstance(part, str) else self._piece(part, frame, separator) for part in node.parts)

    def _piece(self, part: t.Node, frame: Frame, separator: str) -> str:
        value = self.evaluate(part, frame)
        if isinstance(value, list):
            return separator.join(self.text(item) for item in value)
        return self.text(value)

    def text(self, value: Any) -> str:
        """A value as text, asking an object's own ToString."""
        if isinstance(value, PsObject) and "tostring" in {name.casefold() for name in value.methods}:
            return to_text(self.call_method(value, "ToString", [], None))
        return to_text(value)

    def _value_var(self, node: t.Var, frame: Frame) -> Any:
        if node.splat:
            raise runtime(
                "SplattingNotPermitted",
                "The splatting operator '@' cannot be used to reference variables in an expression.",
                "ParserError",
            )
        return self.located(node, frame, lambda: self.variable(node, frame))

    def _value_arrayliteral(self, node: t.ArrayLiteral, frame: Frame) -> list[Any]:
        return [self.evaluate(item, frame) for item in node.items]

    def _value_arrayexpression(self, node: t.ArrayExpression, frame: Frame) -> list[Any]:
        return list(self.statements(node.body, frame))

    def _value_subexpression(self, node: t.SubExpression, frame: Frame) -> Any:
        return unwrap(list(self.statements(node.body, frame)))

    def _value_paren(self, node: t.Paren, frame: Frame) -> Any:
        inner = node.body
        if (
            isinstance(inner, t.Pipeline)
            and len(inner.stages) == 1
            and isinstance(inner.stages[0], t.Expression)
            and not inner.stages[0].redirections
        ):
            return self.raw(inner.stages[0].value, frame)
        if isinstance(inner, t.Pipeline) and len(inner.stages) == 1 and isinstance(inner.stages[0], t.Command):
            found = list(self.statement(inner, frame))
            return unwrap(found)
        if isinstance(inner, t.Assign):
            for _ in self.statement(inner, frame):
                pass
            return self.evaluate(inner.target, frame)
        return self.collect(inner, frame)

    def _value_hashliteral(self, node: t.HashLiteral, frame: Frame, *, ordered: bool = False) -> Table:
        made = Table(ordered=ordered)
        for key_node, value_node in node.entries:
            key = self.evaluate(key_node, frame)
            if key is None:
                raise runtime("InvalidNullKey", "A null key is not allowed in a hash literal.")
            if key in made:
                raise runtime(
                    "DuplicateKeyInHashLiteral",
                    f"Duplicate keys '{to_text(key)}' are not allowed in hash literals.",
                    "ParserError",
                )
            value = self._assigned_value(value_node, frame)
            made[key] = None if value is NOTHING else value
        return made

    def _value_typeliteral(self, node: t.TypeLiteral, frame: Frame) -> TypeValue:
        name = resolve_type(node.name)
        if name is None:
            self.locate(record := type_not_found(node.name).record, node.at, frame)
            raise Terminating(record)
        return TypeValue(name)

    def _value_blockexpression(self, node: t.BlockExpression, frame: Frame) -> ScriptBlock:
        return ScriptBlock(node.code, frame)

    def _value_cast(self, node: t.Cast, frame: Frame) -> Any:
        folded = node.type_name.casefold()
        if folded == "ordered":
            if not isinstance(node.operand, t.HashLiteral):
                raise runtime(
                    "OrderedAttributeOnlyOnHashLiteralNode",
                    "The ordered attribute can be specified only on a hash literal node.",
                    "ParserError",
                )
            return self._value_hashliteral(node.operand, frame, ordered=True)
        if folded in ("pscustomobject", "psobject", "system.management.automation.pscustomobject") and isinstance(
            node.operand, t.HashLiteral
        ):
            return custom(
                [(to_text(key), value) for key, value in self._value_hashliteral(node.operand, frame).items()]
            )
        name = resolve_type(node.type_name)
        if name is None:
            self.locate(record := type_not_found(node.type_name).record, node.at, frame)
            raise Terminating(record)
        if name == "System.Management.Automation.PSReference":
            return self._reference(node.operand, frame)
        value = self.evaluate(node.operand, frame)
        return self.located(node, frame, lambda: self.cast_value(value, name))

    def _reference(self, node: t.Node, frame: Frame) -> Reference:
        if not isinstance(node, t.Var | t.Member | t.Index):
            raise OutsideSubset("[ref] of something other than a variable lies outside the subset")
        if isinstance(node, t.Var) and frame.scope.find(node.name) is None and not node.scope:
            raise runtime("NonExistingVariableReference", "[ref] cannot be applied to a variable that does not exist.")
        return Reference(lambda: self.evaluate(node, frame), lambda value: self.assign(node, value, frame))

    def cast_value(self, value: Any, name: str) -> Any:
        """A cast; collections and objects made of tables go through the constructors."""
        if name.startswith("System.Collections.Generic.") or name == "System.Collections.ArrayList":
            made = self.construct(name, [])
            if not isinstance(made, NetList):
                raise OutsideSubset(f"a cast to [{name}] lies outside the subset")
            made.extend(value if isinstance(value, list) else [] if value is None else [value])
            return made
        if name in ENUMS:
            return value if isinstance(value, EnumValue) else enum(name, value)
        if name == "System.Text.RegularExpressions.Regex" or name in self.by_text:
            return value if not isinstance(value, str) else self.construct(name, [value])
        return cast(value, name)

    def _value_unary(self, node: t.Unary, frame: Frame) -> Any:
        value = self.evaluate(node.operand, frame)
        operator = node.operator
        if operator in ("!", "-not"):
            return not to_bool(value)
        if operator == ",":
            return [value]
        if operator == "-join":
            return BINARY["-join"](value, "")
        if operator == "-split":
            return [part for item in (value if isinstance(value, list) else [value]) for part in to_text(item).split()]
        return self.located(node, frame, lambda: self._signed(operator, value))

    def _signed(self, operator: str, value: Any) -> Any:
        made = number(value)
        if operator == "-":
            return sized(-int(made), made, made) if isinstance(made, int) else -made
        if operator == "-bnot":
            whole = int(made)
            return Int64(~whole) if integer_kind(whole) is Int64 else ~whole
        return made

    def _value_binary(self, node: t.Binary, frame: Frame) -> Any:
        operator = node.operator
        if operator in ("-and", "-or"):
            left = to_bool(self.evaluate(node.left, frame))
            if left is (operator == "-or"):
                return left
            return to_bool(self.evaluate(node.right, frame))
        left_value, right_value = self.evaluate(node.left, frame), self.evaluate(node.right, frame)
        if operator in _MATCHING:
            return self.located(node, frame, lambda: self._match(operator, left_value, right_value, frame))
        if (
            operator in ("-replace", "-ireplace", "-creplace")
            and isinstance(right_value, list)
            and any(isinstance(one, ScriptBlock) for one in right_value)
        ):
            raise OutsideSubset("-replace with a script block is not in Windows PowerShell 5.1")
        work = BINARY.get(operator)
        if work is None:
            raise OutsideSubset(f"the operator {operator} lies outside the subset")
        return self.located(node, frame, lambda: work(left_value, right_value))

    def _match(self, operator: str, left: Any, right: Any, frame: Frame) -> Any:
        pattern = (
            right.properties["__pattern"] if isinstance(right, PsObject) and "__pattern" in right.properties else None
        )
        pattern = pattern or compile_pattern(to_text(right), cased=operator.startswith("-c"))
        wanted = "not" not in operator
        if isinstance(left, list):
            return [item for item in left if (pattern.search(to_text(item)) is not None) is wanted]
        found = pattern.search(to_text(left))
        if found is not None:
            self.set_matches(found, frame)
        return (found is not None) is wanted

    def _value_member(self, node: t.Member, frame: Frame) -> Any:
        target = self.evaluate(node.target, frame)
        name = self._member_name(node.name, frame)
        if node.static:
            return self.located(node, frame, lambda: self.static_member(target, name))
        return self.located(node, frame, lambda: self.member(target, name, frame))

    def _member_name(self, node: t.Node, frame: Frame) -> str:
        return to_text(self.evaluate(node, frame))

    def _value_invoke(self, node: t.Invoke, frame: Frame) -> Any:
        target = self.raw(node.target, frame) if not node.static else self.evaluate(node.target, frame)
        target = None if target is NOTHING else target
        name = self._member_name(node.name, frame)
        arguments = [self.evaluate(one, frame) for one in node.arguments]
        if node.static:
            return self.located(node, frame, lambda: self.static_call(target, name, arguments))
        return self.located(node, frame, lambda: self.call_method(target, name, arguments, frame))

    def _value_index(self, node: t.Index, frame: Frame) -> Any:
        target, key = self.evaluate(node.target, frame), self.evaluate(node.index, frame)
        return self.located(node, frame, lambda: self.index(target, key, frame))

    def index(self, target: Any, key: Any, frame: Frame) -> Any:
        """`target[key]`."""
        if target is None:
            raise runtime("NullArray", "Cannot index into a null array.")
        if isinstance(target, Table):
            if isinstance(key, list):
                return [target.get(one) for one in key]
            if key is None:
                raise runtime("NullArrayIndex", "Index operation failed; the array index evaluated to null.")
            if isinstance(key, int) and target.ordered and key not in target:
                values = list(target.values())
                return values[key] if -len(values) <= key < len(values) else None
            return target.lookup(key) if hasattr(target, "lookup") else target.get(key)
        if isinstance(key, str) and isinstance(target, NetList) and "PSMemberInfo" in target.type_name:
            return next((one for one in target if to_text(one.get("Name")).casefold() == key.casefold()), None)
        if isinstance(key, list):
            return [item for one in key for item in self._slice_item(target, one, frame)]
        return self._at_index(target, key, frame)

    def _slice_item(self, target: Any, key: Any, frame: Frame) -> list[Any]:
        size = len(target) if isinstance(target, list | str) else 0
        place = cast(key, "System.Int32")
        if not -size <= place < size:
            if frame.scope.strictness() >= 3:
                raise out_of_bounds()
            return []
        return [self._at_index(target, key, frame)]

    def _at_index(self, target: Any, key: Any, frame: Frame) -> Any:
        if key is None:
            raise runtime("NullArrayIndex", "Index operation failed; the array index evaluated to null.")
        if isinstance(target, list | str):
            place = cast(key, "System.Int32")
            if -len(target) <= place < len(target):
                found = target[place]
                return self.char(found) if isinstance(target, str) else found
            if isinstance(target, NetList) or frame.scope.strictness() >= 3:
                raise out_of_bounds()
            return None
        if isinstance(target, PsObject) and "__getitem__" in target.methods:
            return target.methods["__getitem__"](key)
        if frame.scope.strictness() >= 3 or not isinstance(key, int):
            raise runtime("CannotIndex", f"Unable to index into an object of type {self.type_of(target)}.")
        return target if key in (0, -1) else None

    def _value_step(self, node: t.Step, frame: Frame) -> Any:
        old = self.evaluate(node.target, frame)
        if old is not None and not isinstance(old, int | float):
            raise runtime(
                "OperatorRequiresNumber",
                "The '++' operator works only on numbers. The operand is a '" + self.type_of(old) + "'.",
            )
        new = BINARY["+"](old if old is not None else 0, node.by)
        self.assign(node.target, new, frame)
        return old if node.after else new

    # Assigning ----------------------------------------------------------------

    def assign(self, target: t.Node, value: Any, frame: Frame) -> None:
        """Write to a variable, property, element, or a list of them."""
        self.located(target, frame, lambda: self._assign(target, value, frame))

    def _assign(self, target: t.Node, value: Any, frame: Frame) -> None:
        plain = None if value is NOTHING else value
        if isinstance(target, t.Var):
            self.set_variable(target, value, frame)
        elif isinstance(target, t.Cast):
            self._assign_typed(target, plain, frame)
        elif isinstance(target, t.ArrayLiteral):
            self._assign_many(target, plain, frame)
        elif isinstance(target, t.Member):
            owner = self.evaluate(target.target, frame)
            name = self._member_name(target.name, frame)
            self.set_static(owner, name, plain) if target.static else self.set_member(owner, name, plain, frame)
        elif isinstance(target, t.Index):
            self._assign_element(self.evaluate(target.target, frame), self.evaluate(target.index, frame), plain)
        else:
            raise OutsideSubset("an assignment to this lies outside the subset")

    def _assign_typed(self, target: t.Cast, value: Any, frame: Frame) -> None:
        inner = target.operand
        name = resolve_type(target.type_name)
        if name is None:
            raise type_not_found(target.type_name)
        if not isinstance(inner, t.Var):
            self._assign(inner, bound_value(value, name), frame)
            return
        made = self.cast_value(value, name) if name.startswith("System.Collections.") else bound_value(value, name)
        scope = self.scope_of(inner, frame)
        scope.set(inner.name, made).type_name = "" if name.startswith("System.Collections.Generic") else name

    def _assign_many(self, target: t.ArrayLiteral, value: Any, frame: Frame) -> None:
        values = value if isinstance(value, list) else [value]
        for place, item in enumerate(target.items):
            last = place == len(target.items) - 1
            rest = values[place:]
            self._assign(
                item, (rest[0] if len(rest) == 1 else rest or None) if last else (rest[0] if rest else None), frame
            )

    def _assign_element(self, owner: Any, key: Any, value: Any) -> None:
        if owner is None:
            raise runtime("NullArray", "Cannot index into a null array.")
        if isinstance(owner, Table):
            owner[key] = value
        elif isinstance(owner, list):
            place = cast(key, "System.Int32")
            if not -len(owner) <= place < len(owner):
                raise out_of_bounds()
            owner[place] = owner.converted(value) if isinstance(owner, NetList) else value
        elif isinstance(owner, PsObject) and "__setitem__" in owner.methods:
            owner.methods["__setitem__"](key, value)
        else:
            raise runtime("CannotIndex", f"Unable to index into an object of type {self.type_of(owner)}.")


def out_of_bounds() -> Terminating:
    """Index was outside the bounds of the array."""
    message = "Index was outside the bounds of the array."
    error = NetException("System.IndexOutOfRangeException", message)
    record = ErrorRecord("System.IndexOutOfRangeException", message, "OperationStopped", None, error)
    return Terminating(record)


_MATCHING = {f"-{prefix}{word}" for prefix in ("", "i", "c") for word in ("match", "notmatch")}
