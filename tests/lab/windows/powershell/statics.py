"""Static members and constructors of the listed types of .NET."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import ipaddress
import math
import os
import random
import re
import struct
import time
import urllib.parse
import uuid
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell.convert import INTEGERS, KNOWN, cast, cast_integer, resolve_type, to_text, version
from tests.lab.windows.powershell.dates import date_text, parse_date, parse_span
from tests.lab.windows.powershell.instances import EPOCH, TEXT_METHODS, Raised, ticks, to_string, utc
from tests.lab.windows.powershell.netfiles import directory_methods, file_methods, path_methods
from tests.lab.windows.powershell.netlists import NetDictionary, NetList
from tests.lab.windows.powershell.operators import compare, equal, format_text
from tests.lab.windows.powershell.patterns import compile_pattern, group_numbers, net_replacement
from tests.lab.windows.powershell.values import (
    INTEGER_RANGES,
    Byte,
    Char,
    Computed,
    EnumValue,
    ErrorRecord,
    Int64,
    NetException,
    OutsideSubset,
    Properties,
    PsObject,
    Table,
    Terminating,
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
ENUMS: dict[str, dict[str, int]] = {
    "System.StringComparison": {"CurrentCulture": 0, "CurrentCultureIgnoreCase": 1, "InvariantCulture": 2, "InvariantCultureIgnoreCase": 3, "Ordinal": 4, "OrdinalIgnoreCase": 5},
    "System.StringSplitOptions": {"None": 0, "RemoveEmptyEntries": 1},
    "System.DateTimeKind": {"Unspecified": 0, "Utc": 1, "Local": 2},
    "System.DayOfWeek": {"Sunday": 0, "Monday": 1, "Tuesday": 2, "Wednesday": 3, "Thursday": 4, "Friday": 5, "Saturday": 6},
    "System.IO.FileMode": {"CreateNew": 1, "Create": 2, "Open": 3, "OpenOrCreate": 4, "Truncate": 5, "Append": 6},
    "System.IO.FileAccess": {"Read": 1, "Write": 2, "ReadWrite": 3},
    "System.IO.FileShare": {"None": 0, "Read": 1, "Write": 2, "ReadWrite": 3, "Delete": 4},
    "System.IO.SeekOrigin": {"Begin": 0, "Current": 1, "End": 2},
    "System.Security.AccessControl.AccessControlSections": {"None": 0, "Audit": 1, "Access": 2, "Owner": 4, "Group": 8, "All": 15},
    "System.Security.Principal.WindowsBuiltInRole": {"Administrator": 544, "User": 545, "Guest": 546},
    "System.ServiceProcess.ServiceControllerStatus": {"Stopped": 1, "StartPending": 2, "StopPending": 3, "Running": 4, "ContinuePending": 5, "PausePending": 6, "Paused": 7},
    "System.ServiceProcess.ServiceStartMode": {"Boot": 0, "System": 1, "Automatic": 2, "Manual": 3, "Disabled": 4},
    "System.Globalization.DateTimeStyles": {"None": 0, "AssumeLocal": 32, "AssumeUniversal": 64, "AdjustToUniversal": 16, "RoundtripKind": 128},
    "System.Text.RegularExpressions.RegexOptions": {"None": 0, "IgnoreCase": 1, "Multiline": 2, "Singleline": 16},
    "System.Net.Sockets.AddressFamily": {"InterNetwork": 2, "InterNetworkV6": 23},
    "System.MidpointRounding": {"ToEven": 0, "AwayFromZero": 1},
    "System.Management.Automation.ErrorCategory": {
        name: number for number, name in enumerate(
            ["NotSpecified", "OpenError", "CloseError", "DeviceError", "DeadlockDetected", "InvalidArgument", "InvalidData", "InvalidOperation", "InvalidResult", "InvalidType", "MetadataError", "NotImplemented", "NotInstalled", "ObjectNotFound", "OperationStopped", "OperationTimeout", "SyntaxError", "ParserError", "PermissionDenied", "ResourceBusy", "ResourceExists", "ResourceUnavailable", "ReadError", "WriteError", "FromStdErr", "SecurityError", "ProtocolError", "ConnectionError", "AuthenticationError", "LimitsExceeded", "QuotaExceeded", "NotEnabled"]
        )
    },
}  # fmt: skip


KNOWN.update(
    {
        name.casefold(): name
        for name in [*ENUMS, "System.StringComparer", "System.Random", "System.Net.ServicePointManager"]
    }
)


def enum(type_name: str, value: Any) -> EnumValue:
    """A value of one of the listed enumerations, from its name or number."""
    names = ENUMS[type_name]
    text = to_text(value)
    for name, number in names.items():
        if name.casefold() == text.casefold() or (text.lstrip("-").isdigit() and number == int(text)):
            return EnumValue(type_name, name, number)
    raise Terminating(
        ErrorRecord(
            "InvalidCastConstrainedEnumerationNoMessage",
            f'Cannot convert value "{text}" to type "{type_name}". Error: "Unable to match the identifier name {text} to a valid enumerator name. Specify one of the '
            f'following enumerator names and try again:\n{", ".join(names)}"',
            "InvalidArgument",
            None,
            "System.Management.Automation.PSInvalidCastException",
        )
    )


def as_bytes(values: Any) -> bytes:
    """A list of numbers as bytes."""
    return bytes(int(one) for one in values)


def byte_list(data: bytes) -> list[Any]:
    """Bytes as a `[byte[]]`."""
    return [Byte(one) for one in data]


def now(shell: Interpreter) -> dt.datetime:
    """The machine's time as local time."""
    return dt.datetime.fromtimestamp(shell.machine.now(), dt.UTC).replace(tzinfo=None)


# Small objects ------------------------------------------------------------------

ENCODINGS = {
    "utf8": "utf-8",
    "unicode": "utf-16-le",
    "ascii": "ascii",
    "default": "cp1252",
    "utf32": "utf-32-le",
    "bigendianunicode": "utf-16-be",
    "utf7": "utf-7",
}


def encoding(name: str, *, mark: bool = True) -> PsObject:
    """A System.Text.Encoding; `mark`: writes a byte order mark."""
    python = ENCODINGS[name]
    made = typed(
        f"System.Text.{'UTF8' if name == 'utf8' else name.title()}Encoding",
        {"WebName": python, "EncodingName": name, "__python": python, "__mark": mark},
        "System.Text.Encoding",
        read_only=True,
    )
    made.methods = {
        "GetBytes": lambda text: byte_list(to_text(text).encode(python, "replace")),
        "GetString": lambda data, *part: as_bytes(
            data[int(part[0]) : int(part[0]) + int(part[1])] if part else data
        ).decode(python, "replace"),
        "GetByteCount": lambda text: len(to_text(text).encode(python, "replace")),
        "GetPreamble": lambda: byte_list(
            b"\xef\xbb\xbf" if name == "utf8" and mark else b"\xff\xfe" if name == "unicode" else b""
        ),
    }
    return made


def string_builder(*given: Any) -> PsObject:
    """A StringBuilder."""
    parts = [to_text(given[0]) if given and isinstance(given[0], str) else ""]
    made = typed("System.Text.StringBuilder", {})

    def append(*what: Any) -> PsObject:
        parts.append(to_text(what[0]) * (int(what[1]) if len(what) > 1 else 1))
        return made

    made.properties["Length"] = Computed(
        lambda: len("".join(parts)), lambda size: parts.__setitem__(slice(None), ["".join(parts)[: int(size)]])
    )
    made.methods = {
        "Append": append,
        "AppendLine": lambda *what: append((to_text(what[0]) if what else "") + "\r\n"),
        "AppendFormat": lambda pattern, *items: append(format_text(pattern, list(items))),
        "Clear": lambda: (parts.clear(), made)[1],
        "ToString": lambda: "".join(parts),
        "Replace": lambda a, b: (
            parts.__setitem__(slice(None), ["".join(parts).replace(to_text(a), to_text(b))]),
            made,
        )[1],
    }
    return made


def stopwatch(*, running: bool) -> PsObject:
    """A Stopwatch."""
    state = {"spent": 0.0, "since": time.monotonic() if running else 0.0, "runs": running}
    made = typed("System.Diagnostics.Stopwatch", {}, read_only=True)

    def spent() -> float:
        return state["spent"] + (time.monotonic() - state["since"] if state["runs"] else 0)

    def stop() -> None:
        state.update(spent=spent(), runs=False)

    def start() -> None:
        state.update(spent=spent(), since=time.monotonic(), runs=True)

    made.properties = Properties(
        {
            "Elapsed": Computed(lambda: dt.timedelta(seconds=spent())),
            "ElapsedMilliseconds": Computed(lambda: Int64(spent() * 1000)),
            "ElapsedTicks": Computed(lambda: Int64(spent() * 10_000_000)),
            "IsRunning": Computed(lambda: state["runs"]),
        }
    )
    made.methods = {
        "Start": start,
        "Stop": stop,
        "Reset": lambda: state.update(spent=0.0, runs=False),
        "Restart": lambda: state.update(spent=0.0, since=time.monotonic(), runs=True),
    }
    return made


def hasher(name: str) -> PsObject:
    """A HashAlgorithm."""
    made = typed(f"System.Security.Cryptography.{name}Managed", {"HashSize": hashlib.new(name).digest_size * 8})

    def compute(data: Any) -> list[Any]:
        raw = data.methods["__read"]() if isinstance(data, PsObject) else as_bytes(data)
        return byte_list(hashlib.new(name, raw).digest())

    made.methods = {"ComputeHash": compute, "Dispose": lambda: None, "Clear": lambda: None}
    return made


def match_object(found: re.Match[str] | None) -> PsObject:
    """A Match of a regular expression."""

    def group(key: Any) -> PsObject:
        there = found is not None and (
            key in found.re.groupindex if isinstance(key, str) else int(key) <= found.re.groups
        )
        key = key if isinstance(key, str) or found is None or not there else group_numbers(found.re)[int(key)]
        value = found[key] if found is not None and there else None
        name = {
            "Success": value is not None,
            "Value": value or "",
            "Index": found.start(key) if found is not None and value is not None else 0,
            "Length": len(value or ""),
        }
        return typed("System.Text.RegularExpressions.Group", name, text=value or "")

    made = group(0)
    made.type_names = ("System.Text.RegularExpressions.Match", "System.Object")
    groups = typed("System.Text.RegularExpressions.GroupCollection", {"Count": found.re.groups + 1 if found else 0})
    groups.methods["__getitem__"] = group
    made.set("Groups", groups)
    made.methods["Result"] = lambda pattern: net_replacement(to_text(pattern), found.re)(found) if found else ""
    return made


def regex_object(pattern: Any, options: Any = None) -> PsObject:
    """A Regex: with case, unless the options say otherwise."""
    flags = regex_flags(options)
    compiled = compile_pattern(to_text(pattern), cased=not flags & re.IGNORECASE, flags=flags & ~re.IGNORECASE)
    made = typed(
        "System.Text.RegularExpressions.Regex", {"__pattern": compiled, "Options": "None"}, text=to_text(pattern)
    )
    made.methods = {
        "IsMatch": lambda text: compiled.search(to_text(text)) is not None,
        "Match": lambda text: match_object(compiled.search(to_text(text))),
        "Matches": lambda text: [match_object(one) for one in compiled.finditer(to_text(text))],
        "Replace": lambda text, by: compiled.sub(net_replacement(to_text(by), compiled), to_text(text)),
        "Split": lambda text: [part or "" for part in compiled.split(to_text(text))],
        "ToString": lambda: to_text(pattern),
    }
    return made


def regex_flags(options: Any) -> int:
    """Flags of Python for RegexOptions."""
    names = {part.strip().casefold() for part in to_text(options).split(",")} if options is not None else set()
    flags = 0
    for name, flag in (("ignorecase", re.IGNORECASE), ("multiline", re.MULTILINE), ("singleline", re.DOTALL)):
        flags |= flag if name in names else 0
    return flags


def uri(text: Any) -> PsObject:
    """A Uri."""
    parts = urllib.parse.urlsplit(to_text(text))
    if not parts.scheme:
        raise Raised("System.UriFormatException", "Invalid URI: The format of the URI could not be determined.")
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, -1)
    return typed(
        "System.Uri",
        {"AbsoluteUri": to_text(text), "Scheme": parts.scheme, "Host": parts.hostname or "", "Port": port, "AbsolutePath": parts.path or "/", "Query": "?" + parts.query if parts.query else ""},
        text=to_text(text), read_only=True,
    )  # fmt: skip


def sid_object(shell: Interpreter, text: Any) -> PsObject:
    """A SecurityIdentifier; Translate asks the machine."""
    sid = to_text(text)
    if not re.fullmatch(r"S-1-\d+(-\d+)*", sid, re.IGNORECASE):
        raise Raised("System.ArgumentException", "Value was invalid.\r\nParameter name: sddlForm")
    domain = sid.rsplit("-", 1)[0] if sid.startswith("S-1-5-21-") else None
    made = typed(
        "System.Security.Principal.SecurityIdentifier",
        {"Value": sid.upper(), "AccountDomainSid": domain, "BinaryLength": 28},
        "System.Security.Principal.IdentityReference",
        text=sid.upper(),
        read_only=True,
    )

    def translate(kind: Any) -> PsObject:
        if "NTAccount" not in to_text(kind):
            return made
        try:
            return account_object(shell, shell.machine.accounts.account(sid))
        except Exception as error:
            raise not_mapped() from error

    made.methods = {
        "Translate": translate,
        "Equals": lambda other: equal(made.text, to_text(other)),
        "IsWellKnown": lambda kind: False,
    }
    return made


def account_object(shell: Interpreter, *given: Any) -> PsObject:
    """An NTAccount; Translate asks the machine."""
    name = "\\".join(to_text(one) for one in given)
    made = typed(
        "System.Security.Principal.NTAccount",
        {"Value": name},
        "System.Security.Principal.IdentityReference",
        text=name,
        read_only=True,
    )

    def translate(kind: Any) -> PsObject:
        if "SecurityIdentifier" not in to_text(kind):
            return made
        try:
            return sid_object(shell, shell.machine.accounts.sid(name))
        except Exception as error:
            raise not_mapped() from error

    made.methods = {"Translate": translate}
    return made


def not_mapped() -> Raised:
    """IdentityNotMappedException."""
    return Raised(
        "System.Security.Principal.IdentityNotMappedException",
        "Some or all identity references could not be translated.",
    )


def security_descriptor(shell: Interpreter, text: Any) -> PsObject:
    """A RawSecurityDescriptor from SDDL."""
    from tests.lab.windows.machine import descriptors

    try:
        parsed = descriptors.parse(to_text(text), getattr(shell.machine.accounts, "domain_sid", None))
    except ValueError as error:
        raise Raised(
            "System.ArgumentException",
            "The SDDL form of a security descriptor object is invalid.\r\nParameter name: sddlForm",
        ) from error
    whole = descriptors.sddl(parsed)
    made = typed(
        "System.Security.AccessControl.RawSecurityDescriptor",
        {"Owner": None, "Group": None},
        "System.Security.AccessControl.GenericSecurityDescriptor",
        read_only=True,
    )

    def form(sections: Any) -> str:
        wanted = (
            to_text(enum("System.Security.AccessControl.AccessControlSections", sections))
            if not isinstance(sections, EnumValue)
            else sections.name
        )
        if wanted == "All":
            return whole
        start = {"Access": "D:", "Owner": "O:", "Group": "G:", "Audit": "S:"}[wanted]
        found = re.search(
            re.escape(start) + r"(.*?)(?=[OGS]:|D:|$)" if start != "D:" else r"D:(.*?)(?=S:\(|S:[A-Z]*\(|$)", whole
        )
        return found[0] if found else ""

    made.methods = {"GetSddlForm": form, "GetBinaryForm": lambda into, start: None}
    made.methods.pop("GetBinaryForm")
    return made


def identity(shell: Interpreter) -> PsObject:
    """WindowsIdentity.GetCurrent()."""
    session = shell.session
    return typed(
        "System.Security.Principal.WindowsIdentity",
        {"Name": session.user, "User": sid_object(shell, session.user_sid), "AuthenticationType": "Kerberos" if session.is_network_logon else "Negotiate", "IsAuthenticated": True, "__elevated": session.elevated,
         "IsSystem": session.user_sid == "S-1-5-18"}, read_only=True,
    )  # fmt: skip


def principal(who: PsObject) -> PsObject:
    """A WindowsPrincipal."""
    made = typed("System.Security.Principal.WindowsPrincipal", {"Identity": who}, read_only=True)

    def in_role(role: Any) -> bool:
        text = to_text(role).casefold()
        if text in ("administrator", "builtin\\administrators", "s-1-5-32-544", "544"):
            return bool(who.get("__elevated"))
        raise OutsideSubset(f"IsInRole({to_text(role)}) lies outside the subset; ask for Administrator")

    made.methods = {"IsInRole": in_role}
    return made


def date(*given: Any) -> dt.datetime:
    """A DateTime by its parts or ticks."""
    numbers = [int(one) for one in given if isinstance(one, int)]
    if len(numbers) == 1:
        return EPOCH + dt.timedelta(microseconds=numbers[0] // 10)
    try:
        made = dt.datetime(*numbers[:6], microsecond=numbers[6] * 1000 if len(numbers) > 6 else 0)
    except (ValueError, TypeError) as error:
        raise Raised(
            "System.ArgumentOutOfRangeException",
            "Year, Month, and Day parameters describe an un-representable DateTime.",
        ) from error
    kind = to_text(given[-1]).casefold() if given and isinstance(given[-1], EnumValue | str) else ""
    return made.replace(tzinfo=dt.UTC) if kind == "utc" else made


def offset(value: dt.datetime) -> PsObject:
    """A DateTimeOffset (of UTC: the zone of the simulated machines)."""
    made = typed(
        "System.DateTimeOffset",
        {
            "DateTime": value.replace(tzinfo=None),
            "UtcDateTime": utc(value),
            "LocalDateTime": value.replace(tzinfo=None),
            "Offset": dt.timedelta(0),
            "Ticks": ticks(value),
            "Year": value.year,
        },
        text=date_text(value, "MM/dd/yyyy HH:mm:ss +00:00"),
        read_only=True,
    )
    made.methods = {
        "ToUnixTimeSeconds": lambda: Int64(math.floor(utc(value).timestamp())),
        "ToUnixTimeMilliseconds": lambda: Int64(math.floor(utc(value).timestamp() * 1000)),
        "ToUniversalTime": lambda: made,
        "ToString": lambda pattern="", *_: (
            to_string(utc(value), pattern).replace("Z", "+00:00") if pattern else to_text(made.text)
        ),
        "AddSeconds": lambda count: offset(value + dt.timedelta(seconds=float(count))),
    }
    return made


def parse_exact(text: Any, pattern: Any, *_: Any) -> dt.datetime:
    """DateTime.ParseExact."""
    marks = {
        "yyyy": "%Y",
        "MM": "%m",
        "dd": "%d",
        "HH": "%H",
        "mm": "%M",
        "ss": "%S",
        "fff": "%f",
        "fffffff": "%f",
        "Z": "Z",
        "hh": "%I",
        "tt": "%p",
        "K": "%z",
    }
    ours = {"o": "yyyy-MM-ddTHH:mm:ss.fffffffK", "s": "yyyy-MM-ddTHH:mm:ss"}.get(to_text(pattern), to_text(pattern))
    ours = re.sub(
        r"yyyy|MM|dd|HH|mm|ss|fffffff|fff|hh|tt|K|'[^']*'",
        lambda m: m[0][1:-1] if m[0][0] == "'" else marks[m[0]],
        ours,
    )
    try:
        made = dt.datetime.strptime(re.sub(r"(\.\d{6})\d+", r"\1", to_text(text)), ours)
    except ValueError as error:
        raise Raised("System.FormatException", "String was not recognized as a valid DateTime.") from error
    return made.astimezone(dt.UTC).replace(tzinfo=None) if made.tzinfo else made


def try_parse(kind: str) -> Callable[..., bool]:
    """TryParse of a type."""

    def work(text: Any, *rest: Any) -> bool:
        from tests.lab.windows.powershell.members import as_reference

        into = as_reference(rest[-1] if rest else None)
        try:
            made = parse(kind)(text)
        except (Terminating, Raised):
            return False
        into.write(made)
        return True

    return work


def parse(kind: str) -> Callable[..., Any]:
    """Parse of a type."""

    def work(text: Any, *_: Any) -> Any:
        words = to_text(text).strip()
        good = {
            "System.DateTime": parse_date, "System.TimeSpan": parse_span,
        }.get(kind)  # fmt: skip
        if kind in INTEGERS and not re.fullmatch(r"[+-]?\d+", words):
            raise Raised("System.FormatException", "Input string was not in a correct format.")
        if good is not None:
            made = good(words)
            if made is None:
                raise Raised(
                    "System.FormatException",
                    f"String was not recognized as a valid {kind.rsplit('.', maxsplit=1)[-1]}.",
                )
            return made
        try:
            return cast_integer(words, kind) if kind in INTEGERS else cast(words, kind)
        except Terminating as error:
            if kind in INTEGERS:
                raise Raised(
                    "System.OverflowException",
                    f"Value was either too large or too small for an {kind.rsplit('.', maxsplit=1)[-1]}.",
                ) from error
            raise Raised(
                "System.FormatException",
                "Input string was not in a correct format."
                if kind != "System.Net.IPAddress"
                else "An invalid IP address was specified.",
            ) from error

    return work


# Tables of types ----------------------------------------------------------------


def _round(value: Any, *rest: Any) -> Any:
    places = next((int(one) for one in rest if isinstance(one, int)), 0)
    away = any("away" in to_text(one).casefold() for one in rest)
    exact = Decimal(str(cast(value, "System.Double"))).quantize(
        Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP if away else ROUND_HALF_EVEN
    )
    return exact if isinstance(value, Decimal) else float(exact)


def _pick(work: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    return lambda a, b: a if work(compare(a, b), 0) else b


MATH: Methods = {
    "min": _pick(lambda n, z: n <= z), "max": _pick(lambda n, z: n >= z), "abs": abs, "round": _round,
    "floor": lambda x: float(math.floor(x)), "ceiling": lambda x: float(math.ceil(x)), "truncate": lambda x: float(math.trunc(x)),
    "pow": lambda a, b: float(a) ** float(b), "sqrt": lambda x: math.sqrt(x) if x >= 0 else math.nan, "log": math.log, "log10": math.log10,
    "sign": lambda x: (x > 0) - (x < 0),
}  # fmt: skip


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


def _span_methods() -> Methods:
    units = {
        "fromdays": "days",
        "fromhours": "hours",
        "fromminutes": "minutes",
        "fromseconds": "seconds",
        "frommilliseconds": "milliseconds",
    }
    return {
        **{name: (lambda count, unit=unit: dt.timedelta(**{unit: float(count)})) for name, unit in units.items()},
        "fromticks": lambda count: dt.timedelta(microseconds=int(count) // 10),
    }


def _other_methods(shell: Interpreter) -> dict[str, Methods]:
    return {
        "System.Math": MATH,
        "System.Char": {"isdigit": lambda c: to_text(c).isdigit(), "isletter": lambda c: to_text(c).isalpha(), "iswhitespace": lambda c: to_text(c).isspace(), "toupper": lambda c: Char(to_text(c).upper()), "isletterordigit": lambda c: to_text(c).isalnum()},
        "System.DateTime": {
            "parse": parse("System.DateTime"), "parseexact": parse_exact, "tryparse": try_parse("System.DateTime"),
            "fromfiletimeutc": lambda n: (EPOCH + dt.timedelta(microseconds=(int(n) + 504911232000000000) // 10)).replace(tzinfo=dt.UTC),
            "fromfiletime": lambda n: EPOCH + dt.timedelta(microseconds=(int(n) + 504911232000000000) // 10),
            "specifykind": lambda d, kind: d.replace(tzinfo=dt.UTC if to_text(kind).casefold() == "utc" else None), "compare": compare, "isleapyear": lambda y: int(y) % 4 == 0 and (int(y) % 100 != 0 or int(y) % 400 == 0),
            "daysinmonth": lambda y, m: (dt.date(int(y) + int(m) // 12, int(m) % 12 + 1, 1) - dt.timedelta(days=1)).day,
        },
        "System.DateTimeOffset": {
            "fromunixtimeseconds": lambda n: offset(dt.datetime.fromtimestamp(int(n), dt.UTC)), "fromunixtimemilliseconds": lambda n: offset(dt.datetime.fromtimestamp(int(n) / 1000, dt.UTC)),
            "parse": lambda text, *_: offset(parse("System.DateTime")(text)),
        },
        "System.Text.RegularExpressions.Regex": {
            "escape": lambda s: re.sub(r"([\\*+?|{\[()^$.# ])", r"\\\1", to_text(s)), "unescape": lambda s: re.sub(r"\\(.)", r"\1", to_text(s)),
            "match": lambda s, p, o=None: regex_object(p, o).methods["Match"](s), "matches": lambda s, p, o=None: regex_object(p, o).methods["Matches"](s),
            "ismatch": lambda s, p, o=None: regex_object(p, o).methods["IsMatch"](s), "replace": lambda s, p, by, o=None: regex_object(p, o).methods["Replace"](s, by),
            "split": lambda s, p, o=None: regex_object(p, o).methods["Split"](s),
        },
        "System.Text.Encoding": {"getencoding": lambda name: encoding({"utf-8": "utf8", "65001": "utf8", "utf-16": "unicode", "1252": "default", "us-ascii": "ascii"}[to_text(name).casefold()])},
        "System.Diagnostics.Stopwatch": {"startnew": lambda: stopwatch(running=True), "gettimestamp": lambda: Int64(_boot_ticks(shell))},
        "System.Diagnostics.Process": {"getcurrentprocess": lambda: custom({"Id": shell.pid})},
        "System.Security.Cryptography.SHA256": {"create": lambda: hasher("SHA256")}, "System.Security.Cryptography.SHA1": {"create": lambda: hasher("SHA1")},
        "System.Security.Cryptography.SHA512": {"create": lambda: hasher("SHA512")}, "System.Security.Cryptography.MD5": {"create": lambda: hasher("MD5")},
        "System.Security.Principal.WindowsIdentity": {"getcurrent": lambda: identity(shell)},
        "System.Threading.Thread": {"sleep": lambda ms: shell.sleep(float(ms.total_seconds() if isinstance(ms, dt.timedelta) else ms / 1000))},
        "System.GC": {"collect": lambda: None},
        "System.Array": {
            "indexof": lambda a, v: next((n for n, one in enumerate(a) if type(one) is type(v) and one == v), -1), "reverse": lambda a: a.reverse(),
            "sort": lambda a: a.sort(key=lambda one: (to_text(one).casefold() if isinstance(one, str) else one)), "empty": list,
        },
        "System.Uri": {"escapedatastring": lambda s: urllib.parse.quote(to_text(s), safe=""), "unescapedatastring": lambda s: urllib.parse.unquote(to_text(s))},
        "System.Object": {"referenceequals": lambda a, b: a is b, "equals": equal},
        "System.Management.Automation.ScriptBlock": {"create": lambda text: shell.block_of(to_text(text))},
    }  # fmt: skip


def _boot_ticks(shell: Interpreter) -> int:
    machine = shell.machine
    if callable(count := getattr(machine, "boot_ticks", None)):
        return int(count())
    booted_at = getattr(machine, "booted_at", None)
    if booted_at is None:
        return time.monotonic_ns() // 100
    return int((machine.now() - machine.computer.clock_offset_s - booted_at) * 10_000_000)


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


def _record(error: Any, error_id: Any, category: Any, target: Any) -> ErrorRecord:
    cause = error if isinstance(error, NetException) else NetException("System.Exception", to_text(error))
    return ErrorRecord(
        to_text(error_id),
        cause.message,
        enum("System.Management.Automation.ErrorCategory", category).name,
        target,
        cause,
    )


def _credential(name: Any, secret: Any) -> PsObject:
    if not isinstance(secret, PsObject) or secret.type_names[0] != "System.Security.SecureString":
        raise Raised(
            "System.ArgumentException", 'Cannot process argument because the value of argument "password" is not valid.'
        )
    made = typed(
        "System.Management.Automation.PSCredential", {"UserName": to_text(name), "Password": secret}, read_only=True
    )
    made.methods = {
        "GetNetworkCredential": lambda: custom(
            {
                "UserName": to_text(name).split("\\")[-1],
                "Password": secret.get("__text"),
                "Domain": to_text(name).rpartition("\\")[0],
            }
        )
    }
    return made


def _random() -> PsObject:
    made = typed("System.Random", {})
    made.methods = {"Next": lambda *n: random.randrange(*([int(one) for one in n] or [2**31 - 1]))}
    return made


__all__ = ["BY_TEXT", "COMPLETE", "KNOWN_OWNERS", "constructors", "enum", "methods", "os", "properties", "resolve_type"]
