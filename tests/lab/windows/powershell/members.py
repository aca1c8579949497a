"""Properties, methods and constructors: what `.`, `::`, `new()` and New-Object reach."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell import instances, statics
from tests.lab.windows.powershell.convert import cast, to_bool, to_text, type_name
from tests.lab.windows.powershell.frames import Frame, FunctionValue, ScriptBlock
from tests.lab.windows.powershell.netlists import NetList
from tests.lab.windows.powershell.operators import runtime
from tests.lab.windows.powershell.static_members import MISSING, StaticMembers, constrained
from tests.lab.windows.powershell.type_names import bases_of
from tests.lab.windows.powershell.values import (
    Cancelled,
    Char,
    Computed,
    ErrorRecord,
    Flow,
    NetException,
    OutsideSubset,
    PsObject,
    Reference,
    Table,
    Terminating,
    custom,
)

if TYPE_CHECKING:
    from tests.lab.windows.powershell.evaluate import Interpreter as Base
else:
    Base = object


class Members(StaticMembers, Base):
    """The part of the interpreter that knows the members of values and types."""

    by_text = statics.BY_TEXT

    def type_of(self, value: Any) -> str:
        """The name of a value's type."""
        return type_name(value)

    def char(self, value: Any) -> Any:
        """A character of a text."""
        return Char(value)

    # Reading ------------------------------------------------------------------

    def member(self, target: Any, name: str, frame: Frame | None) -> Any:
        """`target.name`; over a list, of each of its items when it has no such property itself."""
        found = self.own_member(target, name)
        if found is not MISSING:
            return found
        if isinstance(target, list):
            values: list[Any] = []
            seen = False
            for item in target:
                one = self.own_member(item, name)
                if one is MISSING:
                    continue
                seen = True
                values.extend(one if isinstance(one, list) else [one])
            if seen:
                return None if not values else values[0] if len(values) == 1 else values
        strict = frame.scope.strictness() if frame is not None else 0
        if name.casefold() in ("count", "length") and not strict and not isinstance(target, Table):
            return 0 if target is None else 1
        if strict >= 2:
            message = f"The property '{name}' cannot be found on this object. Verify that the property exists."
            raise Terminating(
                ErrorRecord(
                    "PropertyNotFoundStrict",
                    message,
                    "NotSpecified",
                    None,
                    "System.Management.Automation.PropertyNotFoundException",
                )
            )
        return None

    def own_member(self, target: Any, name: str) -> Any:
        """A property of the value itself, or MISSING."""
        folded = name.casefold()
        if target is None:
            return MISSING
        if folded == "psobject":
            return self._psobject(target)
        if isinstance(target, PsObject):
            if name in target.properties:
                return target.get(name)
            return self._psbase(target, folded)
        if isinstance(target, Table) and name in target:
            return target[name]
        for kind, table in instances.PROPERTIES:
            if isinstance(target, kind) and folded in table:
                return table[folded](target)
        if isinstance(target, NetException) and name in target.properties:
            return target.properties[name]
        if isinstance(target, FunctionValue):
            return {"name": target.name, "scriptblock": None, "source": "", "commandtype": "Function"}.get(
                folded, MISSING
            )
        if isinstance(target, ScriptBlock) and folded == "file":
            return target.frame.source.file
        return MISSING

    def _psbase(self, target: PsObject, folded: str) -> Any:
        if folded == "pstypenames":
            return list(target.type_names)
        return MISSING

    def _psobject(self, target: Any) -> PsObject:
        items = self.properties_of(target)
        listed = [self._property_info(target, name, value) for name, value in items]
        made = custom(
            {
                "TypeNames": [type_name(target)] if not isinstance(target, PsObject) else list(target.type_names),
                "BaseObject": target,
                "Members": listed,
            }
        )
        table = NamedList(listed)
        made.set("Properties", table)
        made.methods["copy"] = lambda: (
            PsObject(type(target.properties)(target.properties.items()), target.type_names)
            if isinstance(target, PsObject)
            else target
        )
        return made

    def _property_info(self, target: Any, name: str, value: Any) -> PsObject:
        info = custom(
            {
                "Name": name,
                "Value": value,
                "MemberType": "NoteProperty",
                "TypeNameOfValue": type_name(value) if value is not None else "System.Object",
            }
        )
        if isinstance(target, PsObject):
            info.properties["Value"] = Computed(lambda: target.get(name), lambda new: target.set(name, new))
        return info

    def properties_of(self, value: Any) -> list[tuple[str, Any]]:
        """The properties of a value in order, as Select-Object and ConvertTo-Json see them."""
        if isinstance(value, PsObject):
            return [(name, value.get(name)) for name in value.properties if not name.startswith("__")]
        for kind, table in instances.SHOWN:
            if isinstance(value, kind):
                return [(name, self.own_member(value, name)) for name in table]
        return []

    # Writing ------------------------------------------------------------------

    def set_member(self, target: Any, name: str, value: Any, frame: Frame) -> None:
        """`target.name = value`."""
        if isinstance(target, Table):
            target[name] = value
            return
        if isinstance(target, PsObject) and name in target.properties:
            self._check_language(target, frame)
            held = target.properties[name]
            if isinstance(held, Computed):
                if held.put is None:
                    raise runtime("PropertyAssignmentException", f"'{name}' is a ReadOnly property.")
                self.guarded(lambda: held.put(value), name, 0)  # type: ignore[misc]
                return
            if target.read_only:
                raise runtime("PropertyAssignmentException", f"'{name}' is a ReadOnly property.")
            target.set(name, value)
            return
        if isinstance(target, Reference) and name.casefold() == "value":
            target.write(value)
            return
        if isinstance(target, list) and not isinstance(target, NetList):
            holders = [
                item
                for item in target
                if isinstance(item, Table) or (isinstance(item, PsObject) and name in item.properties)
            ]
            if holders and len(holders) == len(target):
                message = f"The property '{name}' cannot be found on this object. Verify that the property exists and can be set."
                raise runtime("PropertyNotFound", message)
        message = (
            f"The property '{name}' cannot be found on this object. Verify that the property exists and can be set."
        )
        if isinstance(target, PsObject):
            error = NetException(
                "System.Management.Automation.SetValueInvocationException", f'Exception setting "{name}": "{message}"'
            )
            raise Terminating(ErrorRecord("ExceptionWhenSetting", error.message, "NotSpecified", None, error))
        raise runtime("PropertyNotFound", message)

    # Methods ------------------------------------------------------------------

    def call_method(self, target: Any, name: str, arguments: list[Any], frame: Frame | None) -> Any:
        """`target.name(arguments)`."""
        if target is None:
            raise runtime("InvokeMethodOnNull", "You cannot call a method on a null-valued expression.")
        if frame is not None:
            self._check_language(target, frame)
        method = self._method(target, name)
        if (
            method is None
            and type(target) is list
            and (found := [self._method(item, name) for item in target])
            and all(found)
        ):
            return [self.guarded_call(one, name, arguments) for one in found if one is not None]
        if method is None:
            message = f"Method invocation failed because [{self._method_owner(target)}] does not contain a method named '{name}'."
            raise runtime("MethodNotFound", message, "InvalidOperation", name)
        return self.guarded_call(method, name, arguments)

    def _method_owner(self, target: Any) -> str:
        return target.type_names[0] if isinstance(target, PsObject) else type_name(target)

    def _method(self, target: Any, name: str) -> Callable[..., Any] | None:
        folded = name.casefold()
        if isinstance(target, PsObject):
            for own, method in target.methods.items():
                if own.casefold() == folded:
                    return method
            held = target.properties.get(name)
            if isinstance(held, ScriptMethod):
                return lambda *given: self.script_method(held, target, given)
        if folded == "gettype":
            return lambda: self.type_object(target)
        if isinstance(target, list) and folded in ("where", "foreach"):
            return lambda *given: self._magic(target, folded, given)
        if isinstance(target, ScriptBlock) and folded in ("invoke", "invokereturnasis", "getnewclosure"):
            return (
                (lambda: target)
                if folded == "getnewclosure"
                else (lambda *given: list(self.run_block(target, list(given), None)))
            )
        for kind, table in instances.METHODS:
            if isinstance(target, kind) and folded in table:
                return functools.partial(table[folded], target)
        if folded == "tostring":
            return lambda *given: self.text(target) if not given else instances.to_string(target, *given)
        if folded == "equals":
            return lambda other: (
                target is other or (not isinstance(target, PsObject | list | Table) and target == other)
            )
        if folded == "gethashcode":
            return lambda: hash(target) & 0x7FFFFFFF
        if folded == "dispose" and isinstance(target, PsObject):
            return None
        return None

    def script_method(self, method: ScriptMethod, target: Any, given: tuple[Any, ...]) -> Any:
        """Run a ScriptMethod of Add-Member with `$this`."""
        scope_frame = method.block.frame
        held = scope_frame.scope.variables.get("this")
        scope_frame.scope.set("this", target)
        try:
            made = list(self.run_block(method.block, list(given), None))
        finally:
            if held is None:
                scope_frame.scope.variables.pop("this", None)
        return None if not made else made[0] if len(made) == 1 else made

    def _magic(self, target: list[Any], folded: str, given: tuple[Any, ...]) -> Any:
        if not given or not isinstance(given[0], ScriptBlock):
            raise OutsideSubset(f".{folded}() with something other than a script block lies outside the subset")
        made: list[Any] = []
        for item in list(target):
            found = list(self.run_block(given[0], [], item))
            if folded == "foreach":
                made.extend(found)
            elif to_bool(found[0] if len(found) == 1 else found or None):
                made.append(item)
                if len(given) > 1 and to_text(given[1]).casefold() == "first":
                    break
        return made

    def guarded_call(self, method: Callable[..., Any], name: str, arguments: list[Any]) -> Any:
        """Call a method; wrong counts and what it raises are errors as PowerShell words them."""
        try:
            inspect.signature(method).bind(*arguments)
        except TypeError:
            message = f'Cannot find an overload for "{name}" and the argument count: "{len(arguments)}".'
            raise Terminating(
                ErrorRecord(
                    "MethodCountCouldNotFindBest",
                    message,
                    "NotSpecified",
                    None,
                    "System.Management.Automation.MethodException",
                )
            ) from None
        except ValueError:
            pass
        return self.guarded(lambda: method(*arguments), name, len(arguments))

    def guarded(self, work: Callable[[], Any], name: str, count: int) -> Any:
        """What a method raises becomes a MethodInvocationException around its cause."""
        try:
            return work()
        except instances.Raised as error:
            raise self.wrapped(error.cause, name, count) from error
        except (Terminating, Flow, OutsideSubset, Cancelled) as error:
            if (
                isinstance(error, Terminating)
                and type(error.record.exception) is str
                and "InvalidCast" in error.record.error_id
            ):
                raise self.wrapped(
                    NetException("System.Management.Automation.PSInvalidCastException", error.record.message),
                    name,
                    count,
                ) from error
            raise
        except OSError as error:
            raise self.wrapped(instances.os_error(error), name, count) from error
        except Exception as error:
            cause = refusal(error)
            if cause is None:
                raise
            raise self.wrapped(cause, name, count) from error

    def wrapped(self, cause: NetException, name: str, count: int) -> Terminating:
        """A MethodInvocationException."""
        message = f'Exception calling "{name}" with "{count}" argument(s): "{cause.message}"'
        outer = NetException("System.Management.Automation.MethodInvocationException", message, cause)
        return Terminating(ErrorRecord(cause.type_name.split(".")[-1], message, "NotSpecified", None, outer))

    def type_object(self, target: Any) -> PsObject:
        """What GetType() gives."""
        name = type_name(target)
        made = custom(
            {
                "Name": name.split("[")[0].split(".")[-1] + ("[]" if name.endswith("[]") else ""),
                "FullName": name,
                "IsArray": name.endswith("[]"),
            }
        )
        bases = bases_of(name)
        made.set("BaseType", bases[1] if len(bases) > 1 else None)
        made.type_names, made.text = ("System.RuntimeType", "System.Object"), name
        return made

    # Static -------------------------------------------------------------------


class ScriptMethod:
    """A ScriptMethod of Add-Member."""

    def __init__(self, block: ScriptBlock) -> None:
        self.block = block


class NamedList(NetList):
    """A list of members that can be asked for by name: `$x.PSObject.Properties['a']`."""

    def __init__(self, items: list[PsObject]) -> None:
        super().__init__(
            "System.Management.Automation.PSMemberInfoIntegratingCollection`1[System.Management.Automation.PSPropertyInfo]"
        )
        self.extend(items)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key)


def refusal(error: Exception) -> NetException | None:
    """The exception behind a refusal of the machine, or None when it is not one."""
    exception, message = getattr(error, "exception", None), getattr(error, "message", None)
    if type(error).__name__ != "Refused" or message is None:
        return None
    return NetException(exception or "System.InvalidOperationException", message)


def as_reference(value: Any) -> Reference:
    """An argument that has to be a [ref]."""
    if not isinstance(value, Reference):
        message = "Argument: '2' should be a System.Management.Automation.PSReference. Use [ref]."
        raise Terminating(
            ErrorRecord(
                "NonRefArgumentToRefParameterMsg",
                message,
                "InvalidArgument",
                None,
                "System.Management.Automation.MethodException",
            )
        )
    return value


__all__ = ["MISSING", "Members", "NamedList", "ScriptMethod", "as_reference", "cast", "constrained", "refusal"]
