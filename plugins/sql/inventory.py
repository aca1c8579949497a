"""Ask both servers, their instances, the names and the witness what a protection of SQL Server needs to know. A silent one is a fact."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

import msgspec

from orchestrator.model.host import Host, HostFacts
from orchestrator.model.inventory import Inventory, Query, SideInventory
from orchestrator.model.servers import Where
from orchestrator.model.settings import Settings
from orchestrator.model.settings_sql import InstanceSettings
from orchestrator.model.sql import SqlAsk, SqlBrowser, SqlInstance, SqlSide, is_default
from orchestrator.model.windows import RegistryAsk, WindowsAsk
from orchestrator.sdk.asking import domain_of, names_of, witness_of
from orchestrator.sdk.asking_hosts import engine_side, or_silent, paired, windows_side
from orchestrator.sdk.context import Ports
from orchestrator.sdk.parts_of_host import parts_of
from orchestrator.sdk.sides import account_of, target_keys
from plugins.sql import told
from plugins.sql.placing import Placing, folder_of
from plugins.sql.roots import LINUX_TREE, chosen

SOURCE, TARGET = Where.SOURCE, Where.TARGET
LINUX_PLACES = (f"{LINUX_TREE}/secrets/machine-key", f"{LINUX_TREE}/mssql.conf")
SAMBA_CONF = "/etc/samba/smb.conf"
TCPIP_KEY = r"HKLM:\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
LSA_KEY = r"HKLM:\SYSTEM\CurrentControlSet\Control\Lsa"
REGISTRY = (RegistryAsk(TCPIP_KEY, "DisableDynamicUpdate"), RegistryAsk(LSA_KEY, "DisableLoopbackCheck"))
MODULES = ("NetTCPIP", "NetSecurity")


def inventory(ports: Ports, settings: Settings) -> Inventory:
    """Everything about the pair, now. Of the source's instances is asked which databases there are, before their files are looked at."""
    windows = told.runs_windows(settings)
    ask = partial(_windows if windows else _linux, ports, settings)
    ours = or_silent(settings, SOURCE, partial(ask, SOURCE))
    theirs = or_silent(settings, TARGET, partial(ask, TARGET))
    source = _with_sql(ours, ports, settings, SOURCE)
    target = _with_sql(theirs, ports, settings, TARGET)
    return Inventory(
        taken_at_s=ports.now(),
        source=_with_paths(source, ports, settings, SOURCE, source, windows=windows),
        target=_with_paths(target, ports, settings, TARGET, source, windows=windows),
        paired=None if windows else paired(ports),
        names=names_of(ports, settings),
        domain=domain_of(ports, settings, account_of(source), account_of(target), service_names(source, settings)),
        witness=witness_of(ports, settings),
    )


def service_names(source: SideInventory, settings: Settings) -> tuple[str, ...]:
    """Those that clients of the source's instances ask tickets for, with ``{host}`` for its names: by port and, if it has one, by name."""
    found: list[str] = []
    for one in told.settings_of(settings).instances:
        known = source.sql.instance(one.name) if source.sql else None
        port = known.port if known is not None and known.port else one.port(SOURCE)
        found += [f"MSSQLSvc/{{host}}:{port}"] if port else []
        found += ["MSSQLSvc/{host}" if is_default(one.name) else f"MSSQLSvc/{{host}}:{one.name}"]
    return tuple(dict.fromkeys(found))


def asked(settings: Settings, where: Where) -> WindowsAsk:
    """What is asked of a Windows host beyond the usual: whether clients come through its firewall to the instances, and to SQL Browser."""
    replica = ("StorageReplica",) if settings.connection.replication == "storage_replica" else ()
    instances = told.settings_of(settings).instances
    doors = [f"tcp {port}" for one in instances if (port := one.port(where)) is not None]
    doors += ["udp 1434"] if any(not is_default(one.name) for one in instances) else []
    return WindowsAsk(registry=REGISTRY, modules=(*MODULES, *replica), firewall_ports=tuple(doors))


def _windows(ports: Ports, settings: Settings, where: Where) -> SideInventory:
    side = windows_side(ports, settings, where, asked(settings, where))
    return msgspec.structs.replace(side, parts=parts_of(ports.host(where)))


def _linux(ports: Ports, settings: Settings, where: Where) -> SideInventory:
    """With what the host says of names, networks and keys beside Samba, which need not be there."""
    host, side = ports.host(where), engine_side(ports, settings, where)
    keys = [path for path, _ in target_keys(settings, "")] if where is TARGET else []
    samba = host.samba(SAMBA_CONF, list(dict.fromkeys(keys)), [])
    query = Query(f"GET /v1/facts/samba?conf={SAMBA_CONF}", side.name, ports.now())
    return msgspec.structs.replace(side, samba=samba, parts=parts_of(host), queries=side.queries | {"samba": query})


def _with_sql(side: SideInventory, ports: Ports, settings: Settings, where: Where) -> SideInventory:
    """A server that is silent is not asked for its instances, too."""
    if side.unreachable or ports.sql is None:
        return side
    sql = told.settings_of(settings)
    found = tuple(_instance(ports, settings, where, one) for one in sql.instances)
    by_name = [one for one in sql.instances if not is_default(one.name) and one.port(where) is None]
    browser = ports.sql.browse(where) if by_name else SqlBrowser()
    query = Query("facts of its SQL Server instances", side.name, ports.now())
    told_of = SqlSide(found, browser, kept_at_s=_kept(side, ports, settings) if where is TARGET else {})
    return msgspec.structs.replace(side, sql=told_of, queries=side.queries | {"sql": query})


def _kept(side: SideInventory, ports: Ports, settings: Settings) -> dict[str, float]:
    """When the log-ins were gathered that wait for a failover: here on Windows pairs, by the target's engine on its own elsewhere."""
    protection = _id(side, settings)
    if side.engine is not None:
        at_s = _gathered_there(ports.host(TARGET), protection)
        return {one.name: at_s for one in told.settings_of(settings).instances} if at_s is not None else {}
    names = [one.name for one in told.settings_of(settings).instances]
    known = {name: ports.sql_servers.kept_at_s(protection, name) for name in names}
    return {name: at_s for name, at_s in known.items() if at_s is not None}


def _gathered_there(host: Host, protection: str) -> float | None:
    """The end of the last run that gathered them well."""
    document = host.protection_document(protection)
    if document is None:
        return None
    run = host.script_run(gathering(protection, int(document.get("epoch", 0))), "post_failover")
    return run.ended_at_s if run is not None and run.state == "done" else None


def gathering(protection: str, epoch: int) -> str:
    """The id of the runs by which a target's engine gathers log-ins."""
    return f"keep-logins-{re.sub(r'[^A-Za-z0-9_-]', '_', protection)[:40]}-{epoch}"


def _id(side: SideInventory, settings: Settings) -> str:
    """The protection's id, as the host knows it; before it does, the usual one."""
    ours = (one.id for one in side.parts or () if (one.application, one.source, one.target) == _pair(settings))
    return next(ours, "_".join(_pair(settings)))


def _pair(settings: Settings) -> tuple[str, str, str]:
    return settings.application, settings.source, settings.target


def _instance(ports: Ports, settings: Settings, where: Where, one: InstanceSettings) -> SqlInstance:
    """First which databases there are, then what is asked of the protected ones."""
    plain = ports.sql_servers.facts(where, one.name)
    if plain.silence:
        return plain
    names = tuple(database.name for database in chosen(told.settings_of(settings), plain) if not database.system)
    return ports.sql_servers.facts(where, one.name, SqlAsk(databases=names)) if names else plain


def _with_paths(
    side: SideInventory, ports: Ports, settings: Settings, where: Where, source: SideInventory, *, windows: bool
) -> SideInventory:
    if side.unreachable:
        return side
    known = {one.path for one in side.paths}
    wanted = [path for path in dict.fromkeys(_paths(settings, where, source, windows=windows)) if path not in known]
    facts: HostFacts = ports.host(where).facts(wanted)
    return msgspec.structs.replace(side, paths=(*side.paths, *facts.paths)) if wanted else side


def _paths(settings: Settings, where: Where, source: SideInventory, *, windows: bool) -> Iterable[str]:
    """The directories of all protected files on a side, those of tempdb on the target; on Linux also what opens keys and doors there."""
    placing, sql = Placing(settings), told.settings_of(settings)
    for one in source.sql.instances if source.sql else ():
        yield from placing.folders(where, one.name, chosen(sql, one))
        tempdb = one.database("tempdb")
        if where is TARGET and tempdb is not None:
            yield from (folder_of(file.path) for file in tempdb.files)
    if not windows:
        yield from LINUX_PLACES
        keys = (sql.login.target_password_file, sql.login.target_keytab_file) if where is TARGET else ()
        yield from (path for path in keys if path is not None)
