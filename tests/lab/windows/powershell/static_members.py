"""Static members and constructors, as far as the language mode allows them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell import statics
from tests.lab.windows.powershell.convert import EXCEPTION_BASES, to_text, type_name
from tests.lab.windows.powershell.frames import Frame
from tests.lab.windows.powershell.operators import runtime
from tests.lab.windows.powershell.type_names import resolve_type, type_not_found
from tests.lab.windows.powershell.values import (
    NetException,
    OutsideSubset,
    PsObject,
    Table,
    Terminating,
    TypeValue,
)

if TYPE_CHECKING:
    from tests.lab.windows.powershell.evaluate import Interpreter as Base
else:
    Base = object

MISSING = object()


CORE_TYPES = {
    "System.Array", "System.Boolean", "System.Byte", "System.Char", "System.Collections.Hashtable", "System.DateTime", "System.Decimal", "System.Double",
    "System.Guid", "System.Int16", "System.Int32", "System.Int64", "System.Net.IPAddress", "System.Object", "System.Object[]", "System.Management.Automation.PSObject",
    "System.Management.Automation.PSCustomObject", "System.Management.Automation.PSCredential", "System.Management.Automation.PSReference", "System.Text.RegularExpressions.Regex",
    "System.SByte", "System.Single", "System.String", "System.TimeSpan", "System.UInt16", "System.UInt32", "System.UInt64", "System.Uri", "System.Version",
    "System.Xml.XmlDocument", "System.Collections.Specialized.OrderedDictionary", "System.Management.Automation.ScriptBlock", "System.Void", "System.Management.Automation.SwitchParameter",
    "System.Management.Automation.ErrorRecord", "System.Management.Automation.PSModuleInfo", "System.Security.SecureString",
}  # fmt: skip


def constrained(error_id: str, message: str) -> Terminating:
    """Refused by the language mode."""
    return runtime(error_id, message)


class StaticMembers(Base):
    """Static members and constructors, as far as the language mode allows them."""

    def set_static(self, target: Any, name: str, value: Any) -> None:
        """`[T]::name = value`."""
        owner = self._owner(target)
        if (owner, name.casefold()) in (
            ("System.Console", "outputencoding"),
            ("System.Console", "inputencoding"),
            ("System.Net.ServicePointManager", "securityprotocol"),
        ):
            return
        raise OutsideSubset(f"[{owner}]::{name} cannot be set in the subset")

    def _owner(self, target: Any) -> str:
        if isinstance(target, TypeValue):
            return target.name
        name = resolve_type(to_text(target))
        if name is None:
            raise type_not_found(to_text(target))
        return name

    def static_member(self, target: Any, name: str) -> Any:
        """`[T]::name`."""
        owner = self._owner(target)
        found = statics.properties(self, owner).get(name.casefold(), MISSING)
        if found is MISSING:
            if owner in statics.KNOWN_OWNERS:
                raise runtime(
                    "PropertyNotFoundStrict",
                    f"The property '{name}' cannot be found on this object. Verify that the property exists.",
                )
            raise OutsideSubset(f"[{owner}]::{name} lies outside the subset")
        return found() if callable(found) else found

    def static_call(self, target: Any, name: str, arguments: list[Any]) -> Any:
        """`[T]::name(arguments)`."""
        owner = self._owner(target)
        if self.session.language_mode != "FullLanguage" and owner not in CORE_TYPES:
            raise constrained(
                "MethodInvocationNotSupportedInConstrainedLanguage",
                "Cannot invoke method. Method invocation is supported only on core types in this language mode.",
            )
        if name.casefold() == "new":
            return self.construct(owner, arguments)
        method = statics.methods(self, owner).get(name.casefold())
        if method is None:
            if owner.split("[")[0] in statics.COMPLETE:
                raise runtime(
                    "MethodNotFound",
                    f"Method invocation failed because [{owner}] does not contain a method named '{name}'.",
                    "InvalidOperation",
                    name,
                )
            raise OutsideSubset(f"[{owner}]::{name}() lies outside the subset")
        return self.guarded_call(method, name, arguments)

    def construct(self, owner: str, arguments: list[Any]) -> Any:
        """`[T]::new(arguments)`."""
        if self.session.language_mode != "FullLanguage" and owner not in CORE_TYPES:
            raise constrained(
                "CannotCreateTypeConstrainedLanguage",
                "Cannot create type. Only core types are supported in this language mode.",
            )
        if owner in EXCEPTION_BASES or owner == "System.Exception":
            message = to_text(arguments[0]) if arguments else f"Exception of type '{owner}' was thrown."
            inner = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], NetException) else None
            return NetException(owner, message, inner)
        maker = statics.constructors(self, owner)
        if maker is None:
            raise OutsideSubset(f"[{owner}]::new() lies outside the subset")
        return self.guarded_call(maker, ".ctor", arguments)

    def _check_language(self, target: Any, frame: Frame) -> None:
        if self.session.language_mode == "FullLanguage" or isinstance(
            target, str | int | float | Decimal | list | Table | dt.datetime | dt.timedelta
        ):
            return
        name = target.type_names[0] if isinstance(target, PsObject) else type_name(target)
        if name not in CORE_TYPES and not name.startswith("Selected"):
            raise constrained(
                "MethodInvocationNotSupportedInConstrainedLanguage",
                "Cannot invoke method. Method invocation is supported only on core types in this language mode.",
            )
