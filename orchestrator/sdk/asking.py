"""What is asked whatever the platform: the name servers, the directory and the witness, and a host's part in protections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from orchestrator.errors import DtamError
from orchestrator.model.domain import DomainInventory
from orchestrator.model.host import Host, HostFacts
from orchestrator.model.inventory import AddressFacts, NameInventory, Query, SideInventory, WitnessInventory
from orchestrator.model.names import NameChanges, NameMove
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.servers import ServerName
from orchestrator.model.settings import Settings
from orchestrator.sdk.context import Ports

Answer = TypeVar("Answer")


def move_of(settings: Settings) -> NameMove:
    """The move of the clients' name that a failover makes."""
    dns = settings.failover.dns
    addresses = tuple((pair.source, pair.target) for pair in dns.addresses)
    return NameMove(settings.name, addresses, dns.zones, (), dns.ttl_s)


def names_of(ports: Ports, settings: Settings) -> NameInventory:
    """What the name servers say of the clients' name, and the changes that a failover would make now."""
    if ports.names is None:
        return NameInventory()
    names, move = ports.names, move_of(settings)
    query = Query(
        f"SOA, A and dynamic update of {settings.name}", ", ".join(settings.failover.dns.servers), ports.now()
    )
    problems: list[tuple[str, str]] = []

    def tried(call: Callable[[], Answer]) -> Answer | None:
        try:
            return call()
        except TryAgain as silence:
            problems.append(("unreachable", silence.reason))
        except DtamError as error:
            problems.append(("other", f"{error}. {error.hint}".strip(". ") + "."))
        return None

    if settings.failover.moves_names:
        problems += tried(lambda: names.test(settings.name)) or ()
    resolved = tried(lambda: names.resolve(settings.name)) or ()
    wanted = (
        bool(move.addresses)
        and not [kind for kind, _ in problems if kind != "source-may-write"]
        and settings.failover.moves_names
    )
    records = (tried(lambda: names.records(move)) or ()) if wanted else ()
    changes = (tried(lambda: names.plan(move)) or NameChanges()) if wanted else NameChanges()
    return NameInventory(records, changes, resolved, tuple(dict.fromkeys(problems)), query)


def domain_of(ports: Ports, settings: Settings, source: str, target: str, spns: Sequence[str] = ()) -> DomainInventory:
    """Both accounts, by their names, and who holds their service names, and ``spns`` of each name of the source."""
    return DomainInventory() if ports.domain is None else ports.domain.look(source, target, settings.name, spns)


def witness_of(ports: Ports, settings: Settings) -> WitnessInventory:
    """Whether the witness answers."""
    if settings.monitoring.witness is None:
        return WitnessInventory(configured=False)
    if ports.witness is None:
        return WitnessInventory(configured=True, problem="there is no way to reach it from here")
    try:
        return WitnessInventory(configured=True, problem=ports.witness.problem())
    except (DtamError, TryAgain) as error:
        return WitnessInventory(configured=True, problem=str(error))


def side_of(
    host: Host, name: ServerName, facts: HostFacts, roles: Sequence[tuple[str, str]], settings: Settings
) -> SideInventory:
    """What a host said about itself, and what it holds of protections: its ``roles``, scripts that were changed, what it was told."""
    told = (host.protection_document(protection) for protection, _ in roles)
    ours = (one for one in told if one is not None and one.get("name") == settings.name)
    edited = [(protection, script) for protection, _ in roles for script in host.changed_scripts(protection)]
    return SideInventory(
        name,
        hostname=facts.hostname,
        addresses=tuple(AddressFacts(address, interface) for address, interface in facts.addresses),
        paths=facts.paths,
        listening=facts.listening,
        protections=tuple(one for one, _ in roles),
        target_of=tuple(one for one, role in roles if role == "target"),
        changed_scripts=tuple(edited),
        takeover=next((dict(one.get("takeover") or {}) for one in ours), None),
    )
