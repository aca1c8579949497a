"""The personalities: builds, levels and internal database versions as Microsoft publishes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Personality:
    """One release of SQL Server."""

    year: str
    build: str
    base: str  # of the release itself: what SQL Browser says
    level: str
    update: str
    article: str
    built: str
    database_version: int  # the internal one: an attached database of a greater one is refused (948)
    compatibility: int
    oldest_compatibility: int
    oldest_database: int  # an attached database of a smaller one is refused (1813)
    linux: bool

    @property
    def major(self) -> int:
        """11 for 2012 ... 17 for 2025."""
        return int(self.build.split(".", maxsplit=1)[0])

    @property
    def hash_version(self) -> int:
        """Of the password hashes that it makes: 2 = SHA-512 once, 3 = iterated (2025)."""
        return 3 if self.major >= 17 else 2


PERSONALITIES: tuple[Personality, ...] = (
    Personality(
        "2012",
        "11.0.7507.2",
        "11.0.2100.60",
        "SP4",
        "GDR",
        "KB4057116",
        "Dec 28 2017 16:36:12",
        706,
        110,
        90,
        611,
        False,
    ),
    Personality(
        "2014",
        "12.0.6329.1",
        "12.0.2000.8",
        "SP3",
        "CU4",
        "KB4500181",
        "Jul 20 2019 19:17:38",
        782,
        120,
        100,
        611,
        False,
    ),
    Personality(
        "2016", "13.0.6300.2", "13.0.1601.5", "SP3", "", "KB5003279", "Aug  7 2021 01:20:37", 852, 130, 100, 611, False
    ),
    Personality(
        "2017",
        "14.0.3456.2",
        "14.0.1000.169",
        "RTM",
        "CU31",
        "KB5016884",
        "Sep  2 2022 11:01:50",
        869,
        140,
        100,
        611,
        True,
    ),
    Personality(
        "2019",
        "15.0.4322.2",
        "15.0.2000.5",
        "RTM",
        "CU22",
        "KB5027702",
        "Jul 27 2023 18:11:00",
        904,
        150,
        100,
        611,
        True,
    ),
    Personality(
        "2022",
        "16.0.4135.4",
        "16.0.1000.6",
        "RTM",
        "CU14",
        "KB5038325",
        "Jul 10 2024 14:09:09",
        957,
        160,
        100,
        611,
        True,
    ),
    Personality("2025", "17.0.1000.7", "17.0.1000.7", "RTM", "", "", "Oct 21 2025 12:05:57", 998, 170, 100, 611, True),
)

OLDER = {"2000": "8.00.2039", "2005": "9.00.5000.00", "2008": "10.0.6000.29", "2008R2": "10.50.6000.34"}


class TooOld(Exception):
    """A release that today's drivers do not speak with: it is named, not played."""


def personality(version: str) -> Personality:
    """The one of a year (``2019``) or a build (``15.0.4322.2``, which then replaces the usual one). Raises TooOld, LookupError."""
    if version in OLDER or version in OLDER.values() or version.split(".", maxsplit=1)[0] in {"8", "9", "10"}:
        raise TooOld(version)
    for one in PERSONALITIES:
        if version in (one.year, one.build):
            return one
        if "." in version and version.split(".", maxsplit=1)[0] == one.build.split(".")[0]:
            return _with_build(one, version)
    raise LookupError(version)


def _with_build(one: Personality, build: str) -> Personality:
    from dataclasses import replace

    return replace(one, build=build)


def banner(one: Personality, platform: str, edition: str) -> str:
    """What @@VERSION says."""
    level = "-".join(part for part in (one.level, one.update) if part)
    article = f" ({one.article})" if one.article else ""
    system = (
        "Linux (Ubuntu 22.04.4 LTS) <X64>"
        if platform == "linux"
        else "Windows Server 2022 Standard 10.0 <X64> (Build 20348: )"
    )
    return (
        f"Microsoft SQL Server {one.year} ({level}){article} - {one.build} (X64) \n\t{one.built} \n"
        f"\tCopyright (C) {one.built.split()[2]} Microsoft Corporation\n\t{edition} on {system}"
    )
