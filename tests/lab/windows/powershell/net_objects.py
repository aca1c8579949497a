"""Objects of .NET that scripts make: encodings, builders, watches, expressions, dates."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import random
import re
import time
import urllib.parse
from typing import Any

from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.dates import date_text
from tests.lab.windows.powershell.instances import EPOCH, Raised, ticks, to_string, utc
from tests.lab.windows.powershell.operators import format_text
from tests.lab.windows.powershell.patterns import compile_pattern, group_numbers, net_replacement
from tests.lab.windows.powershell.type_names import KNOWN
from tests.lab.windows.powershell.values import (
    Byte,
    Computed,
    EnumValue,
    ErrorRecord,
    Int64,
    NetException,
    Properties,
    PsObject,
    Terminating,
    custom,
    typed,
)

ENUMS: dict[str, dict[str, int]] = {
    "System.StringComparison": {"CurrentCulture": 0, "CurrentCultureIgnoreCase": 1, "InvariantCulture": 2, "InvariantCultureIgnoreCase": 3, "Ordinal": 4, "OrdinalIgnoreCase": 5},
    "System.StringSplitOptions": {"None": 0, "RemoveEmptyEntries": 1},
    "System.DateTimeKind": {"Unspecified": 0, "Utc": 1, "Local": 2},
    "System.DayOfWeek": {"Sunday": 0, "Monday": 1, "Tuesday": 2, "Wednesday": 3, "Thursday": 4, "Friday": 5, "Saturday": 6},
    "System.IO.FileMode": {"CreateNew": 1, "Create": 2, "Open": 3, "OpenOrCreate": 4, "Truncate": 5, "Append": 6},
    "System.IO.FileAccess": {"Read": 1, "Write": 2, "ReadWrite": 3},
    "System.IO.FileShare": {"None": 0, "Read": 1, "Write": 2, "ReadWrite": 3, "Delete": 4},
    "Microsoft.Win32.RegistryKeyPermissionCheck": {"Default": 0, "ReadSubTree": 1, "ReadWriteSubTree": 2},
    "Microsoft.Win32.RegistryOptions": {"None": 0, "Volatile": 1},
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
