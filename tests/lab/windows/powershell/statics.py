"""Static members and constructors of the listed types of .NET."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import math
import os
import re
import struct
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell.convert import INTEGERS, cast, cast_integer, to_text, version
from tests.lab.windows.powershell.instances import EPOCH, TEXT_METHODS, Raised
from tests.lab.windows.powershell.net_objects import (
    ENCODINGS,
    ENUMS,
    _credential,
    _random,
    _record,
    as_bytes,
    byte_list,
    date,
    encoding,
    enum,
    hasher,
    offset,
    regex_object,
    stopwatch,
    string_builder,
    uri,
)
from tests.lab.windows.powershell.net_registry import local_machine
from tests.lab.windows.powershell.net_security import (
    account_object,
    principal,
    security_descriptor,
    sid_object,
)
from tests.lab.windows.powershell.netfiles import directory_methods, file_methods, path_methods
from tests.lab.windows.powershell.netlists import NetDictionary, NetList
from tests.lab.windows.powershell.operators import compare, format_text
from tests.lab.windows.powershell.static_tables import _boot_ticks, _other_methods, _span_methods, now, parse, try_parse
from tests.lab.windows.powershell.type_names import resolve_type
from tests.lab.windows.powershell.values import (
    INTEGER_RANGES,
    Char,
    EnumValue,
    Int64,
    OutsideSubset,
    PsObject,
    Table,
    UInt16,
    UInt32,
    UInt64,
    custom,
    typed,
)

if TYPE_CHECKING:
    from tests.lab.windows.powershell.evaluate import Interpreter

Methods = dict[str, Callable[..., Any]]
BY_TEXT = {
    "System.Uri",
    "System.Security.Principal.SecurityIdentifier",
    "System.Security.Principal.NTAccount",
    "System.Globalization.CultureInfo",
}
COMPLETE = {
    "System.String",
    "System.Int32",
    "System.Int64",
    "System.Math",
    "System.Guid",
    "System.IO.Path",
    "System.IO.File",
    "System.Convert",
}
KNOWN_OWNERS = {"System.Math", "System.String", "System.Int32", "System.Guid"}


# Small objects ------------------------------------------------------------------


# Tables of types ----------------------------------------------------------------


def _static_text(shell: Interpreter) -> Methods:
    return {
        "isnullorempty": lambda s: s is None or to_text(s) == "",
        "isnullorwhitespace": lambda s: s is None or not to_text(s).strip(),
        "join": lambda by, *items: to_text(by).join(
            to_text(one) for one in (items[0] if len(items) == 1 and isinstance(items[0], list) else items)
        ),
        "format": lambda pattern, *items: format_text(
            pattern, items[0] if len(items) == 1 and isinstance(items[0], list) else list(items)
        ),
        "concat": lambda *items: "".join(to_text(one) for one in items),
        "compare": lambda a, b, *rest: compare(
            to_text(a), to_text(b), cased=not (rest and (rest[0] is True or "ignore" in to_text(rest[0]).casefold()))
        ),
        "equals": lambda a, b, *rest: TEXT_METHODS["equals"](to_text(a), b, *rest),
        "copy": lambda s: s,
    }


def _convert(shell: Interpreter) -> Methods:
    def from_base64(text: Any) -> Any:
        try:
            return byte_list(base64.b64decode(to_text(text), validate=True))
        except ValueError as error:
            raise Raised(
                "System.FormatException",
                "The input is not a valid Base-64 string as it contains a non-base 64 character, more than two padding characters, or an illegal character among the padding characters. ",
            ) from error

    def whole(kind: str) -> Callable[..., Any]:
        return lambda value, base=None: (
            cast_integer(int(to_text(value), int(base)), kind) if base is not None else cast_integer(value, kind)
        )

    def text(value: Any, base: Any = None) -> str:
        if isinstance(base, int):
            return {
                2: format(int(value), "b"),
                8: format(int(value), "o"),
                16: format(int(value) & 0xFFFFFFFF if value < 0 else int(value), "x"),
                10: str(int(value)),
            }[int(base)]
        return to_text(value)

    return {
        "tobase64string": lambda data: base64.b64encode(as_bytes(data)).decode(), "frombase64string": from_base64, "tostring": text,
        "toint32": whole("System.Int32"), "toint64": whole("System.Int64"), "touint32": whole("System.UInt32"), "touint64": whole("System.UInt64"), "tobyte": whole("System.Byte"),
        "toboolean": lambda v: cast(v, "System.Boolean"), "todouble": lambda v: cast(v, "System.Double"), "todatetime": lambda v: cast(v, "System.DateTime"),
    }  # fmt: skip


def _bits(shell: Interpreter) -> Methods:
    def get(code: str, kind: type) -> Callable[..., Any]:
        return lambda data, start: kind(struct.unpack_from(code, as_bytes(data), int(start))[0])

    def pack(value: Any) -> list[Any]:
        code = {UInt16: "<H", UInt32: "<I", UInt64: "<Q", Int64: "<q"}.get(
            type(value), "<d" if isinstance(value, float) else "<i"
        )
        return byte_list(struct.pack(code, value))

    return {
        "tostring": lambda data, *part: "-".join(f"{int(one):02X}" for one in (data[int(part[0]) :][: int(part[1]) if len(part) > 1 else None] if part else data)),
        "toint32": get("<i", int), "toint64": get("<q", Int64), "touint32": get("<I", UInt32), "touint64": get("<Q", UInt64), "touint16": get("<H", UInt16), "getbytes": pack,
    }  # fmt: skip


def _environment(shell: Interpreter) -> Methods:
    def get(name: Any, scope: Any = None) -> Any:
        return shell.environment.get(to_text(name))

    def put(name: Any, value: Any, scope: Any = None) -> None:
        if scope is not None and to_text(scope).casefold() != "process":
            raise OutsideSubset(
                "[Environment]::SetEnvironmentVariable for the machine or a user lies outside the subset"
            )
        shell.set_environment(to_text(name), value)

    def folder(name: Any) -> str:
        names = {
            "commonapplicationdata": "ProgramData",
            "programfiles": "ProgramFiles",
            "windows": "SystemRoot",
            "userprofile": "USERPROFILE",
        }
        found = names.get(to_text(name).casefold())
        if to_text(name).casefold() == "system":
            return f"{shell.environment.get('SystemRoot', 'C:' + chr(92) + 'Windows')}\\system32"
        if found is None:
            raise OutsideSubset(f"[Environment]::GetFolderPath({to_text(name)}) lies outside the subset")
        return to_text(shell.environment.get(found))

    def leave(code: Any) -> None:
        from tests.lab.windows.powershell.values import ExitFlow

        raise ExitFlow(int(code))

    return {
        "getenvironmentvariable": get,
        "setenvironmentvariable": put,
        "getfolderpath": folder,
        "exit": leave,
        "expandenvironmentvariables": lambda text: re.sub(
            r"%([^%]+)%", lambda m: to_text(get(m[1]) or m[0]), to_text(text)
        ),
    }


def _console(shell: Interpreter) -> Methods:
    def refuse(*_: Any) -> None:
        raise OutsideSubset("[Console]'s streams of bytes lie outside the subset; use [Console]::In and [Console]::Out")

    return {
        "writeline": lambda *t: shell.host.out(_line(t)), "write": lambda t: shell.host.out(shell.text(t)), "readline": shell.host.read_line,
        "openstandardinput": refuse, "openstandardoutput": refuse, "openstandarderror": refuse, "setout": refuse, "setin": refuse,
    }  # fmt: skip


def _line(given: tuple[Any, ...]) -> str:
    if not given:
        return "\r\n"
    return (to_text(given[0]) if len(given) == 1 else format_text(given[0], list(given[1:]))) + "\r\n"


def methods(shell: Interpreter, owner: str) -> Methods:
    """The static methods of a type."""
    outer = owner.split("[", maxsplit=1)[0]
    if owner in INTEGERS or owner in (
        "System.Double",
        "System.Decimal",
        "System.Boolean",
        "System.TimeSpan",
        "System.Guid",
        "System.Net.IPAddress",
        "System.Version",
        "System.Single",
    ):
        extra = (
            _span_methods()
            if owner == "System.TimeSpan"
            else {"newguid": uuid.uuid4}
            if owner == "System.Guid"
            else {"isnan": math.isnan}
            if owner == "System.Double"
            else {}
        )
        return {"parse": parse(owner), "tryparse": try_parse(owner), **extra}
    if owner in ENUMS:
        return {}
    simple: dict[str, Callable[[Interpreter], Methods]] = {
        "System.String": _static_text, "System.Convert": _convert, "System.BitConverter": _bits, "System.Environment": _environment, "System.Console": _console,
        "System.IO.File": file_methods, "System.IO.Directory": directory_methods, "System.IO.Path": path_methods,
    }  # fmt: skip
    if outer in simple:
        return simple[outer](shell)
    return _other_methods(shell).get(outer, {})


def properties(shell: Interpreter, owner: str) -> dict[str, Any]:
    """The static properties of a type; what can be called is worked out when it is read."""
    if owner in INTEGERS:
        low, high = INTEGER_RANGES[INTEGERS[owner]]
        kind = INTEGERS[owner]
        return {"minvalue": kind(low), "maxvalue": kind(high)}
    if owner in ENUMS:
        return {name.casefold(): EnumValue(owner, name, number) for name, number in ENUMS[owner].items()}
    known: dict[str, dict[str, Any]] = {
        "System.String": {"empty": ""}, "System.Guid": {"empty": uuid.UUID(int=0)}, "System.Math": {"pi": math.pi, "e": math.e},
        "System.Double": {"maxvalue": 1.7976931348623157e308, "minvalue": -1.7976931348623157e308, "nan": math.nan, "positiveinfinity": math.inf, "negativeinfinity": -math.inf},
        "System.DateTime": {"now": lambda: now(shell), "utcnow": lambda: now(shell).replace(tzinfo=dt.UTC), "today": lambda: now(shell).replace(hour=0, minute=0, second=0, microsecond=0), "minvalue": EPOCH, "maxvalue": dt.datetime.max},
        "System.DateTimeOffset": {"now": lambda: offset(now(shell)), "utcnow": lambda: offset(now(shell).replace(tzinfo=dt.UTC))},
        "System.TimeSpan": {"zero": dt.timedelta(0), "maxvalue": dt.timedelta.max, "minvalue": dt.timedelta.min},
        "System.Net.IPAddress": {"any": ipaddress.ip_address("0.0.0.0"), "loopback": ipaddress.ip_address("127.0.0.1"), "ipv6any": ipaddress.ip_address("::")},
        "System.Text.Encoding": {name: (lambda name=name: encoding(name)) for name in ENCODINGS},
        "System.Environment": {
            "machinename": lambda: shell.machine.computer.name, "username": lambda: shell.session.user.split("\\")[-1], "userdomainname": lambda: shell.session.user.split("\\")[0],
            "newline": "\r\n", "tickcount": lambda: int(_boot_ticks(shell) // 10_000 & 0x7FFFFFFF), "is64bitoperatingsystem": True, "is64bitprocess": True, "processorcount": 2, "userinteractive": False,
            "currentdirectory": lambda: shell.location, "systemdirectory": "C:\\Windows\\system32", "hasshutdownstarted": False,
            "osversion": lambda: custom({"Platform": "Win32NT", "Version": version(getattr(shell.machine.computer, "version", "10.0.20348.0") if isinstance(getattr(shell.machine.computer, "version", ""), str) else "10.0.20348.0")}),
        },
        "System.Console": {
            "in": lambda: custom_in(shell), "out": lambda: custom_out(shell, shell.host.out), "error": lambda: custom_out(shell, shell.host.err), "isinputredirected": True, "isoutputredirected": True,
            "iserrorredirected": True, "outputencoding": lambda: encoding("utf8"), "inputencoding": lambda: encoding("utf8"), "keyavailable": False,
        },
        "System.Diagnostics.Stopwatch": {"frequency": Int64(10_000_000), "ishighresolution": True},
        "System.Globalization.CultureInfo": {"invariantculture": custom({"Name": ""}), "currentculture": custom({"Name": "en-US"})},
        "System.IO.Path": {"directoryseparatorchar": Char("\\"), "pathseparator": Char(";"), "altdirectoryseparatorchar": Char("/")},
        "System.StringComparer": {"ordinalignorecase": EnumValue("System.StringComparison", "OrdinalIgnoreCase", 5), "ordinal": EnumValue("System.StringComparison", "Ordinal", 4)},
        "Microsoft.Win32.Registry": {"localmachine": lambda: local_machine(shell)},
        "System.Boolean": {"truestring": "True", "falsestring": "False"},
    }  # fmt: skip
    return known.get(owner, {})


def custom_in(shell: Interpreter) -> PsObject:
    """[Console]::In."""
    made = typed("System.IO.TextReader+SyncTextReader", {})
    made.methods = {
        "ReadToEnd": shell.host.read_all,
        "ReadLine": shell.host.read_line,
        "Peek": lambda: -1,
        "Close": lambda: None,
        "Dispose": lambda: None,
    }
    return made


def custom_out(shell: Interpreter, write: Callable[[str], None]) -> PsObject:
    """[Console]::Out and [Console]::Error."""
    made = typed("System.IO.TextWriter+SyncTextWriter", {"AutoFlush": True, "NewLine": "\r\n"})
    made.methods = {
        "WriteLine": lambda *t: write(
            _line(tuple(shell.text(one) if place == 0 else one for place, one in enumerate(t)))
        ),
        "Write": lambda t: write(shell.text(t)),
        "Flush": lambda: None,
    }
    return made


def constructors(shell: Interpreter, owner: str) -> Callable[..., Any] | None:
    """The constructor of a type, or None."""
    outer, _, inner = owner.partition("[")
    parts = inner.removesuffix("]").split(",") if inner else []
    if outer == "System.Collections.Generic.Dictionary":
        return lambda *given: NetDictionary(
            owner, parts[0], parts[1], folded=any("ignorecase" in to_text(one).casefold() for one in given)
        )
    if outer.startswith("System.Collections.Generic.") or outer in (
        "System.Collections.ArrayList",
        "System.Collections.Queue",
        "System.Collections.Stack",
    ):
        return lambda *given: _filled(NetList(owner, parts[0] if parts else "System.Object"), given)
    if owner.endswith("[]"):
        return lambda size: [cast(None, owner[:-2]) if owner[:-2] in INTEGERS else None] * int(size)
    table: dict[str, Callable[..., Any]] = {
        "System.Collections.Hashtable": lambda *_: Table(), "System.Collections.Specialized.OrderedDictionary": lambda *_: Table(ordered=True),
        "System.Text.StringBuilder": string_builder, "System.Text.UTF8Encoding": lambda mark=False, *_: encoding("utf8", mark=bool(mark)), "System.Text.UnicodeEncoding": lambda *_: encoding("unicode"),
        "System.Text.ASCIIEncoding": lambda: encoding("ascii"), "System.Diagnostics.Stopwatch": lambda: stopwatch(running=False), "System.DateTime": date,
        "System.TimeSpan": lambda *n: dt.timedelta(microseconds=int(n[0]) // 10) if len(n) == 1 else dt.timedelta(hours=n[0], minutes=n[1], seconds=n[2]) if len(n) == 3 else dt.timedelta(days=n[0], hours=n[1], minutes=n[2], seconds=n[3]),
        "System.DateTimeOffset": lambda d, *_: offset(d), "System.Guid": lambda text: cast(text, "System.Guid"),
        "System.Version": lambda *n: version(to_text(n[0]) if len(n) == 1 else ".".join(to_text(one) for one in n)), "System.Uri": uri, "System.Net.IPAddress": lambda data: ipaddress.ip_address(as_bytes(data)) if isinstance(data, list) else cast(data, "System.Net.IPAddress"),
        "System.Text.RegularExpressions.Regex": regex_object, "System.Security.Principal.SecurityIdentifier": lambda text: sid_object(shell, text), "System.Security.Principal.NTAccount": lambda *n: account_object(shell, *n),
        "System.Security.Principal.WindowsPrincipal": principal, "System.Security.AccessControl.RawSecurityDescriptor": lambda text, *_: security_descriptor(shell, text),
        "System.String": lambda char, count=None: to_text(char) * int(count) if count is not None else "".join(to_text(one) for one in char), "System.Object": lambda: typed("System.Object", {}),
        "System.Management.Automation.PSObject": lambda *given: given[0] if given and given[0] is not None else custom(), "System.Management.Automation.PSCustomObject": custom,
        "System.Management.Automation.ErrorRecord": _record, "System.Security.Cryptography.SHA256Managed": lambda: hasher("SHA256"),
        "System.Management.Automation.PSCredential": _credential, "System.Random": lambda *_: _random(), "System.Security.Cryptography.SHA256": lambda: hasher("SHA256"),
    }  # fmt: skip
    return table.get(owner)


def _filled(target: NetList, given: tuple[Any, ...]) -> NetList:
    for one in given:
        if isinstance(one, list):
            for item in one:
                if "HashSet" not in target.type_name or item not in target:
                    list.append(target, target.converted(item))
    return target


__all__ = ["BY_TEXT", "COMPLETE", "KNOWN_OWNERS", "constructors", "enum", "methods", "os", "properties", "resolve_type"]
