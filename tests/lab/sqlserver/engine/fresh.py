"""What a new instance has: log-ins, roles, configurations, and the tables of msdb."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab.sqlserver.engine import accounts
from tests.lab.sqlserver.engine.catalogue import Catalogue, Document
from tests.lab.sqlserver.engine.database import now
from tests.lab.sqlserver.engine.security import SERVER_ROLES

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.instance import Server

# number: name, value, least, most, dynamic, advanced
CONFIGURATIONS: dict[int, tuple[str, int, int, int, bool, bool]] = {
    101: ("recovery interval (min)", 0, 0, 32767, True, True), 102: ("allow updates", 0, 0, 1, True, False), 103: ("user connections", 0, 0, 32767, False, True),
    106: ("locks", 0, 5000, 2147483647, False, True), 107: ("open objects", 0, 0, 2147483647, False, True), 109: ("fill factor (%)", 0, 0, 100, False, True),
    114: ("disallow results from triggers", 0, 0, 1, True, True), 115: ("nested triggers", 1, 0, 1, True, False), 116: ("server trigger recursion", 1, 0, 1, True, False),
    117: ("remote access", 1, 0, 1, False, False), 124: ("default language", 0, 0, 9999, True, False), 400: ("cross db ownership chaining", 0, 0, 1, True, False),
    503: ("max worker threads", 0, 128, 65535, True, True), 505: ("network packet size (B)", 4096, 512, 32767, True, True), 518: ("show advanced options", 0, 0, 1, True, False),
    542: ("remote proc trans", 0, 0, 1, True, False), 544: ("c2 audit mode", 0, 0, 1, False, True), 1126: ("default full-text language", 1033, 0, 2147483647, True, True),
    1127: ("two digit year cutoff", 2049, 1753, 9999, True, True), 1505: ("index create memory (KB)", 0, 704, 2147483647, True, True), 1517: ("priority boost", 0, 0, 1, False, True),
    1519: ("remote login timeout (s)", 10, 0, 2147483647, True, False), 1520: ("remote query timeout (s)", 600, 0, 2147483647, True, False), 1531: ("cursor threshold", -1, -1, 2147483647, True, True),
    1532: ("set working set size", 0, 0, 1, False, True), 1534: ("user options", 0, 0, 32767, True, False), 1535: ("affinity mask", 0, -2147483648, 2147483647, True, True),
    1536: ("max text repl size (B)", 65536, -1, 2147483647, True, False), 1538: ("cost threshold for parallelism", 5, 0, 32767, True, True), 1539: ("max degree of parallelism", 0, 0, 32767, True, True),
    1540: ("min memory per query (KB)", 1024, 512, 2147483647, True, True), 1541: ("query wait (s)", -1, -1, 2147483647, True, True), 1543: ("min server memory (MB)", 0, 0, 2147483647, True, True),
    1544: ("max server memory (MB)", 2147483647, 128, 2147483647, True, True), 1545: ("query governor cost limit", 0, 0, 2147483647, True, True), 1546: ("lightweight pooling", 0, 0, 1, False, True),
    1547: ("scan for startup procs", 0, 0, 1, False, True), 1555: ("transform noise words", 0, 0, 1, True, True), 1556: ("precompute rank", 0, 0, 1, True, True),
    1562: ("clr enabled", 0, 0, 1, True, False), 1563: ("max full-text crawl range", 4, 0, 256, True, True), 1568: ("default trace enabled", 1, 0, 1, True, True),
    1569: ("blocked process threshold (s)", 0, 0, 86400, True, True), 1570: ("in-doubt xact resolution", 0, 0, 2, True, True), 1576: ("remote admin connections", 0, 0, 1, True, False),
    1577: ("common criteria compliance enabled", 0, 0, 1, False, True), 1578: ("EKM provider enabled", 0, 0, 1, True, True), 1579: ("backup compression default", 0, 0, 1, True, False),
    1580: ("filestream access level", 0, 0, 2, True, False), 1581: ("optimize for ad hoc workloads", 0, 0, 1, True, True), 1582: ("access check cache bucket count", 0, 0, 65536, True, True),
    1583: ("access check cache quota", 0, 0, 2147483647, True, True), 1587: ("clr strict security", 1, 0, 1, True, True), 16384: ("Agent XPs", 0, 0, 1, True, True),
    16386: ("Database Mail XPs", 0, 0, 1, True, True), 16387: ("SMO and DMO XPs", 1, 0, 1, True, True), 16388: ("Ole Automation Procedures", 0, 0, 1, True, True),
    16390: ("xp_cmdshell", 0, 0, 1, True, True), 16391: ("Ad Hoc Distributed Queries", 0, 0, 1, True, True), 16392: ("Replication XPs", 0, 0, 1, True, True),
    16393: ("contained database authentication", 0, 0, 1, True, False), 16397: ("allow polybase export", 0, 0, 1, True, False),
}  # fmt: skip
SINCE = {1587: 14, 16397: 13}


def configurations(major: int) -> dict[int, Document]:
    """The documents of a release, as installed."""
    return {
        number: {
            "name": name,
            "value": value,
            "in_use": value,
            "least": least,
            "most": most,
            "dynamic": dynamic,
            "advanced": advanced,
        }
        for number, (name, value, least, most, dynamic, advanced) in CONFIGURATIONS.items()
        if major >= SINCE.get(number, 0)
    }


def login(name: str, kind: str, sid: bytes | None, **more: object) -> Document:
    """A server principal as it is kept."""
    at = now()
    return {
        "name": name, "type": kind, "sid": sid, "hash": None, "disabled": False, "default_database": "master", "default_language": "us_english",
        "policy": False, "expiration": False, "must_change": False, "created": at, "modified": at, "password_set": at, **more,
    }  # fmt: skip


def fill_master(catalogue: Catalogue, server: Server) -> None:
    """Principals, configurations and the server's own name."""
    person = server.personality
    secret = accounts.hash_password(str(server.settings.sa_password), person.hash_version)
    catalogue.put("login", 1, login("sa", "S", accounts.SA, hash=secret, policy=True))
    for number, name in SERVER_ROLES.items():
        catalogue.put("login", number, login(name, "R", bytes([number]) if number > 2 else b"\x02"))
    catalogue.put("server_member", 1, {"role": 3, "member": 1})
    number = 256
    for name in ("##MS_PolicyEventProcessingLogin##", "##MS_PolicyTsqlExecutionLogin##"):
        secret = accounts.hash_password(accounts.new_sid().hex(), 2)
        catalogue.put("login", number, login(name, "S", accounts.new_sid(), hash=secret, disabled=True, policy=True))
        number += 1
    for name in (
        "##MS_SQLResourceSigningCertificate##",
        "##MS_SQLReplicationSigningCertificate##",
        "##MS_AgentSigningCertificate##",
    ):
        catalogue.add("login", login(name, "C", accounts.new_sid()), 101)
    for name, role in _windows_logins(server):
        sid = server.windows_sid(name)
        catalogue.put("login", number, login(name, "G" if name.startswith("BUILTIN") else "U", sid))
        if role:
            catalogue.add("server_member", {"role": 3, "member": number})
        number += 1
    for one, document in catalogue.all("login"):
        if document["type"] != "R":
            catalogue.add(
                "server_permission",
                {"class": 100, "major": 0, "grantee": one, "grantor": 1, "permission": "CONNECT SQL", "state": "G"},
            )
    catalogue.add(
        "server_permission",
        {"class": 100, "major": 0, "grantee": 2, "grantor": 1, "permission": "VIEW ANY DATABASE", "state": "G"},
    )
    for one, document in configurations(person.major).items():
        catalogue.put("configuration", one, document)
    catalogue.put("server", 1, {"collation": server.collation, "created": now(), "machine": server.machine})
    catalogue.put(
        "linked",
        0,
        {
            "name": server.actual_name,
            "product": "SQL Server",
            "provider": "SQLNCLI",
            "data_source": server.actual_name,
            "linked": False,
            "modified": now(),
        },
    )
    catalogue.put(
        "endpoint",
        4,
        {
            "name": "TSQL Default TCP",
            "protocol": "TCP",
            "type": "TSQL",
            "state": "STARTED",
            "port": 0,
            "sid": accounts.SA,
        },
    )
    catalogue.put(
        "key",
        102,
        {
            "name": "##MS_ServiceMasterKey##",
            "made_on": server.machine,
            "account": server.service_account,
            "created": now(),
        },
    )


def _windows_logins(server: Server) -> list[tuple[str, bool]]:
    if server.platform == "linux":
        return [
            ("BUILTIN\\Administrators", True),
            ("NT AUTHORITY\\SYSTEM", False),
            ("NT AUTHORITY\\NETWORK SERVICE", True),
        ]
    engine = "NT SERVICE\\MSSQLSERVER" if server.is_default else f"NT SERVICE\\MSSQL${server.name}"
    agent = "NT SERVICE\\SQLSERVERAGENT" if server.is_default else f"NT SERVICE\\SQLAgent${server.name}"
    return [
        ("NT AUTHORITY\\SYSTEM", False),
        ("NT SERVICE\\SQLWriter", True),
        ("NT SERVICE\\Winmgmt", True),
        (engine, True),
        (agent, True),
    ]


def fill_msdb(catalogue: Catalogue) -> None:
    """One job, as installed."""
    catalogue.put(
        "job",
        1,
        {
            "name": "syspolicy_purge_history",
            "enabled": True,
            "owner_sid": accounts.SA,
            "server": None,
            "created": now(),
        },
    )
