"""Static methods of the smaller types."""

from __future__ import annotations

import datetime as dt
import math
import re
import time
import urllib.parse
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell.convert import INTEGERS, cast, cast_integer, to_text
from tests.lab.windows.powershell.dates import parse_date, parse_span
from tests.lab.windows.powershell.instances import EPOCH, Raised
from tests.lab.windows.powershell.net_objects import (
    encoding,
    hasher,
    offset,
    parse_exact,
    regex_object,
    stopwatch,
)
from tests.lab.windows.powershell.net_security import (
    identity,
)
from tests.lab.windows.powershell.operators import compare, equal
from tests.lab.windows.powershell.values import (
    Char,
    Int64,
    Terminating,
    custom,
)

if TYPE_CHECKING:
    from tests.lab.windows.powershell.evaluate import Interpreter


Methods = dict[str, Callable[..., Any]]


def now(shell: Interpreter) -> dt.datetime:
    """The machine's time as local time."""
    return dt.datetime.fromtimestamp(shell.machine.now(), dt.UTC).replace(tzinfo=None)


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
