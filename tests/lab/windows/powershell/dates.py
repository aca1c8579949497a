"""Dates and spans of time as .NET writes and reads them."""

from __future__ import annotations

import datetime as dt
import re

LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LONG_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
STANDARD = {
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ssZ",
    "d": "M/d/yyyy",
    "D": "dddd, MMMM d, yyyy",
    "t": "h:mm tt",
    "T": "h:mm:ss tt",
    "g": "M/d/yyyy h:mm tt",
    "G": "M/d/yyyy h:mm:ss tt",
    "f": "dddd, MMMM d, yyyy h:mm tt",
    "F": "dddd, MMMM d, yyyy h:mm:ss tt",
    "r": "ddd, dd MMM yyyy HH:mm:ss GMT",
    "R": "ddd, dd MMM yyyy HH:mm:ss GMT",
}
TOKEN = re.compile(
    r"yyyy|yy|MMMM|MMM|MM|M|dddd|ddd|dd|d|HH|H|hh|h|mm|m|ss|s|f+|F+|tt|K|zzz|zz|z|'[^']*'|\"[^\"]*\"|\\.|.", re.DOTALL
)


def local_zone() -> dt.tzinfo:
    """The zone of the simulated machines: UTC."""
    return dt.UTC


def date_text(value: dt.datetime, pattern: str) -> str:
    """A date in one of .NET's formats (culture en-US)."""
    whole = STANDARD.get(pattern, pattern) if len(pattern) == 1 else pattern
    return "".join(_date_part(value, token) for token in TOKEN.findall(whole))


def _date_part(value: dt.datetime, token: str) -> str:
    parts = {
        "yyyy": f"{value.year:04d}", "yy": f"{value.year % 100:02d}", "MMMM": LONG_MONTHS[value.month - 1],
        "MMM": LONG_MONTHS[value.month - 1][:3], "MM": f"{value.month:02d}", "M": str(value.month),
        "dddd": LONG_DAYS[value.weekday()], "ddd": LONG_DAYS[value.weekday()][:3], "dd": f"{value.day:02d}", "d": str(value.day),
        "HH": f"{value.hour:02d}", "H": str(value.hour), "hh": f"{(value.hour + 11) % 12 + 1:02d}", "h": str((value.hour + 11) % 12 + 1),
        "mm": f"{value.minute:02d}", "m": str(value.minute), "ss": f"{value.second:02d}", "s": str(value.second),
        "tt": "AM" if value.hour < 12 else "PM", "K": _zone(value), "zzz": "+00:00", "zz": "+00", "z": "+0",
    }  # fmt: skip
    if token in parts:
        return parts[token]
    if token[0] == "f":
        return f"{value.microsecond * 10:07d}"[: len(token)]
    if token[0] == "F":
        return f"{value.microsecond * 10:07d}"[: len(token)].rstrip("0")
    return token[1:-1] if token[0] in "'\"" else token[1:] if token[0] == "\\" else token


def _zone(value: dt.datetime) -> str:
    return "" if value.tzinfo is None else "Z"


def span_text(value: dt.timedelta) -> str:
    """A span: [-][d.]hh:mm:ss[.fffffff]."""
    ticks = value // dt.timedelta(microseconds=1)
    sign, ticks = ("-", -ticks) if ticks < 0 else ("", ticks)
    seconds, micro = divmod(ticks, 1_000_000)
    days, seconds = divmod(seconds, 86400)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return sign + (f"{days}." if days else "") + text + (f".{micro:06d}0" if micro else "")


def parse_span(text: str) -> dt.timedelta | None:
    """A span of time from its text, or None."""
    found = re.fullmatch(r"\s*(-)?(?:(\d+)\.)?(\d+):(\d+)(?::(\d+)(?:\.(\d{1,7}))?)?\s*", text)
    if found is None:
        whole = re.fullmatch(r"\s*(-?\d+)\s*", text)
        return dt.timedelta(days=int(whole[1])) if whole else None
    sign, days, hours, minutes, seconds, fraction = found.groups()
    made = dt.timedelta(
        days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0),
        microseconds=int((fraction or "0").ljust(7, "0")) // 10,
    )  # fmt: skip
    return -made if sign else made


FORMATS = (
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M",
    "%H:%M:%S", "%H:%M", "%d %B %Y", "%B %d, %Y", "%a, %d %b %Y %H:%M:%S GMT",
)  # fmt: skip


def parse_date(text: str) -> dt.datetime | None:
    """A date from its text (en-US and ISO 8601), or None. One with a zone is turned to local time."""
    trimmed = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())
    try:
        made = dt.datetime.fromisoformat(trimmed)
    except ValueError:
        made = None
    if made is not None:
        return made if made.tzinfo is None else made.astimezone(dt.UTC).replace(tzinfo=None)
    for pattern in FORMATS:
        try:
            return dt.datetime.strptime(trimmed, pattern)
        except ValueError:
            continue
    return None
