"""What each engine is told about its part: the protection document of the control API, made of settings and facts."""

from __future__ import annotations

from typing import Any

from orchestrator.model.inventory import EngineFacts
from orchestrator.model.servers import Server, Where
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import parts, taken
from orchestrator.sdk.pair_plans.deeds import PairDeeds
from orchestrator.sdk.pair_plans.points import wanted

SCRIPTS = ("post_failover", "pre_failback", "post_restore", "post_failback")


def protection_document(
    deeds: PairDeeds, planning: Planning, where: Where, epoch: int, role: Where | None = None
) -> dict[str, Any]:
    """The document for the engine on ``where``; ``role`` is the part it plays, its own side's unless said otherwise."""
    protection, settings = planning.protection, planning.protection.settings
    return {
        "id": protection.id,
        "application": protection.application,
        "role": str(role or where),
        "epoch": epoch,
        "name": settings.name,
        "source": _side(protection.pair.source, planning.inventory.source.engine),
        "target": _side(protection.pair.target, planning.inventory.target.engine),
        "roots": [{"source_path": one.source_path, "target_path": one.on_target} for one in settings.connection.roots],
        "replication_set": settings.replication_set,
        "services": [service.document(where) for service in deeds.guarded(planning, where)],
        "witness": settings.monitoring.witness.model_dump(mode="json") if settings.monitoring.witness else None,
        "monitor": _monitor(planning) | {"application": wanted(settings, lambda: deeds.points(planning))},
        "failover": _failover(planning) | deeds.followed(planning),
        "snapshots": settings.snapshots.document(),
        "dns": dns_document(planning),
        "takeover": deeds.takeover(planning),
        "scripts": {one.name: one.sha256 for one in planning.scripts if one.where == where},
    }


def _side(server: Server, engine: EngineFacts | None) -> dict[str, Any]:
    return {
        "name": server.name,
        "engine_id": engine.engine_id if engine else "0" * 32,
        "addresses": list(server.addresses),
        "control_address": server.address,
        "control_port": engine.control_port if engine else server.own_engine.control_port,
        "data_port": engine.data_port if engine else 6321,
        "probe_port": engine.probe_port if engine else 6320,
        "fingerprint": engine.fingerprint if engine else server.own_engine.fingerprint or "0" * 64,
    }


def _monitor(planning: Planning) -> dict[str, Any]:
    tab = planning.protection.settings.monitoring
    interval_s, missed = tab.allowed()
    addresses = tab.addresses or planning.protection.pair.source.addresses
    return {
        "method": tab.method,
        "addresses": list(addresses),
        "require": tab.require,
        "interval_s": interval_s,
        "missed": missed,
        "manual_intervention": tab.manual_intervention,
        "insist_without_witness": tab.without_witness and tab.witness is None,
        "paces": [
            {"address": one.address} | dict(zip(("interval_s", "missed"), tab.allowed(one), strict=True))
            for one in tab.paces
        ],
    }


def _failover(planning: Planning) -> dict[str, Any]:
    tab = planning.protection.settings.failover
    told = {
        "settle": tab.settle,
        "settle_timeout_s": tab.settle_timeout_s,
        "wait": tab.wait,
        "wait_pre_script": tab.waits_for("pre_failover"),
        "wait_post_script": tab.waits_for("post_failover"),
    }
    names_s = tab.dns.refresh_interval_s if parts.moves_names(planning) else None
    return told | {"refresh_names_s": names_s}


def _kerberos(planning: Planning) -> dict[str, Any]:
    """How the target itself signs: with the key for DNS where there is one of its own, else with that for the directory."""
    failover = planning.protection.settings.failover
    dns, directory = failover.dns, failover.directory
    keytab = dns.target_keytab_file or (directory.target_keytab_file if directory else "/etc/krb5.keytab")
    principal = dns.target_principal or (directory.target_principal if directory else None)
    return {
        "domain": dns.domain or (directory.domain if directory else ""),
        "principal": principal or taken.own_account(planning),
        "keytab": keytab,
        "ca_file": directory.ca_file if directory else None,
        "controllers": list(directory.controllers) if directory else [],
    }


def dns_document(planning: Planning) -> dict[str, Any]:
    """What the target's script needs to move names with nobody else alive; the key is named by the file it lies in there."""
    settings = planning.protection.settings
    dns = settings.failover.dns
    if not settings.failover.moves_names:
        return {}
    return {
        "name": settings.name,
        "servers": list(dns.in_order),
        "client_server": dns.client_server,
        "key_file": (dns.target_key_file or dns.key_file) if dns.signing == "tsig" else None,
        "unsigned": dns.security == "none",
        "kerberos": _kerberos(planning) if dns.signing == "kerberos" else None,
        "zones": list(dns.zones),
        "addresses": [{"source": pair.source, "target": pair.target} for pair in dns.addresses],
        "ttl_s": dns.ttl_s,
    }
