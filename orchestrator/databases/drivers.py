"""Which ODBC driver is used: what the settings say, else Microsoft's 18 or 17, else FreeTDS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from orchestrator.databases.errors import DriverMissing

_PREFERRED = ("ODBC Driver 18 for SQL Server", "ODBC Driver 17 for SQL Server", "FreeTDS")
_ADVICE = (
    "install Microsoft's ODBC Driver 18 for SQL Server (msodbcsql18), or FreeTDS: apt-get install tdsodbc; "
    "or name one with failover.sql.login.driver"
)


class Driver(msgspec.Struct, frozen=True):
    """A driver: its name or library as ODBC takes it, its kind, and the oldest server that it and our statements serve."""

    name: str
    kind: str
    oldest_major: int

    @property
    def is_freetds(self) -> bool:
        """Whether it is FreeTDS, which takes some settings from a file."""
        return self.kind == "freetds"


def chosen(given: str | None, installed: Sequence[str]) -> Driver:
    """The driver that is used.

    Raises:
        DriverMissing: none is there, or the one that was named is not.
    """
    if given is not None:
        if given not in installed and not Path(given).is_file():
            known = ", ".join(installed) or "none"
            raise DriverMissing(reason=f"{given} is not installed (known to ODBC: {known})", advice=_ADVICE)
        return of(given)
    found = next((one for one in _PREFERRED if one in installed), None)
    if found is None:
        raise DriverMissing(reason="none is installed", advice=_ADVICE)
    return of(found)


def of(name: str) -> Driver:
    """What is known of a driver by its name or path."""
    low = name.lower()
    if "tds" in low and "msodbcsql" not in low:
        return Driver(name, "freetds", 9)
    if "17" in Path(low).name and "18" not in Path(low).name:
        return Driver(name, "microsoft", 10)
    return Driver(name, "microsoft", 11)
