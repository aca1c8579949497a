"""Dates and times on the wire: days from a day, and parts of a second; [MS-TDS] 2.2.5.5.1.8."""

from __future__ import annotations

import datetime as dt
import struct

from tests.lab.sqlserver.wire.kinds import time_bytes

DAY_ONE = dt.date(1, 1, 1).toordinal()
DAY_1900 = dt.date(1900, 1, 1).toordinal()
TICKS_A_SECOND = 300


def as_date(value: object) -> dt.date:
    """A date of what may be one. Raises ValueError."""
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    return dt.datetime.fromisoformat(str(value)).date()


def as_time(value: object) -> dt.time:
    """A time of what may be one. Raises ValueError."""
    if isinstance(value, dt.datetime):
        return value.time()
    return value if isinstance(value, dt.time) else dt.time.fromisoformat(str(value))


def as_datetime(value: object) -> dt.datetime:
    """A moment of what may be one. Raises ValueError."""
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day)
    return dt.datetime.fromisoformat(str(value))


def _microseconds(time: dt.time) -> int:
    return ((time.hour * 60 + time.minute) * 60 + time.second) * 1_000_000 + time.microsecond


def _time_of(microseconds: int) -> dt.time:
    seconds, fraction = divmod(microseconds, 1_000_000)
    return dt.time(seconds // 3600, seconds // 60 % 60, seconds % 60, fraction)


def put_date(day: dt.date) -> bytes:
    """Three bytes: days since 0001-01-01."""
    return (day.toordinal() - DAY_ONE).to_bytes(3, "little")


def get_date(raw: bytes) -> dt.date:
    """Raises ValueError for a day that no calendar has."""
    return dt.date.fromordinal(int.from_bytes(raw, "little") + DAY_ONE)


def put_time(time: dt.time, scale: int) -> bytes:
    """Parts of 10 to the minus ``scale`` of a second since midnight; finer parts are dropped."""
    microseconds = _microseconds(time)
    parts = microseconds * 10 if scale == 7 else microseconds // 10 ** (6 - scale)
    return parts.to_bytes(time_bytes(scale), "little")


def get_time(raw: bytes, scale: int) -> dt.time:
    """Hundreds of nanoseconds are dropped: Python has none. Raises ValueError beyond midnight."""
    parts = int.from_bytes(raw, "little")
    return _time_of(parts // 10 if scale == 7 else parts * 10 ** (6 - scale))


def put_datetime2(moment: dt.datetime, scale: int) -> bytes:
    """Time, then day."""
    return put_time(moment.time(), scale) + put_date(moment.date())


def get_datetime2(raw: bytes, scale: int) -> dt.datetime:
    """The reverse. Raises ValueError."""
    return dt.datetime.combine(get_date(raw[-3:]), get_time(raw[:-3], scale))


def put_datetimeoffset(moment: dt.datetime, scale: int) -> bytes:
    """In UTC, then the offset in minutes; a moment without a zone is taken for UTC."""
    offset = moment.utcoffset() or dt.timedelta()
    utc = moment.replace(tzinfo=None) - offset
    return put_datetime2(utc, scale) + struct.pack("<h", int(offset.total_seconds()) // 60)


def get_datetimeoffset(raw: bytes, scale: int) -> dt.datetime:
    """The reverse. Raises ValueError or OverflowError."""
    offset = dt.timedelta(minutes=int.from_bytes(raw[-2:], "little", signed=True))
    return (get_datetime2(raw[:-2], scale) + offset).replace(tzinfo=dt.timezone(offset))


def put_datetime(moment: dt.datetime) -> bytes:
    """Days since 1900 and three hundredths of a second."""
    days = moment.toordinal() - DAY_1900
    ticks = (_microseconds(moment.time()) * TICKS_A_SECOND + 500_000) // 1_000_000
    if ticks == 86400 * TICKS_A_SECOND:
        days, ticks = days + 1, 0
    return struct.pack("<iI", days, ticks)


def get_datetime(raw: bytes) -> dt.datetime:
    """With milliseconds, as SQL Server shows them. Raises ValueError or OverflowError."""
    days, ticks = struct.unpack("<iI", raw)
    if ticks >= 86400 * TICKS_A_SECOND:
        raise ValueError(ticks)
    milliseconds = (ticks * 10 + 1) // 3
    day = dt.datetime.fromordinal(days + DAY_1900)
    return day + dt.timedelta(milliseconds=milliseconds)


def put_smalldatetime(moment: dt.datetime) -> bytes:
    """Days since 1900 and minutes, rounded."""
    rounded = moment + dt.timedelta(seconds=30)
    return struct.pack("<HH", rounded.toordinal() - DAY_1900, rounded.hour * 60 + rounded.minute)


def get_smalldatetime(raw: bytes) -> dt.datetime:
    """The reverse. Raises ValueError."""
    days, minutes = struct.unpack("<HH", raw)
    if minutes >= 24 * 60:
        raise ValueError(minutes)
    return dt.datetime.fromordinal(days + DAY_1900) + dt.timedelta(minutes=minutes)
