"""Service principal names: which are taken from the source and given to the target. Pure: values in, values out.

- Names are compared without regard to case, and deleted in the spelling in which they are stored.
- The alias map (``sPNMappings``) lets ``HOST/x`` stand for ``cifs/x``, ``http/x`` and others. A client that asks for ``cifs/x`` gets a
  ticket for the account with ``cifs/x``, else for the one with ``HOST/x``. So two accounts of which one holds ``HOST/x`` and the other
  ``cifs/x`` are two owners: what collides with a name that moves, moves with it, and what a third account holds refuses the move.
  A domain controller does not refuse all of these by itself (Samba takes ``cifs/x`` beside another's ``HOST/x``).
- On Samba's domain controllers ``HOST/x`` alone does not lead a client away from the account whose ``dNSHostName`` is x: a file
  server's move therefore always gives ``cifs/NAME`` and ``cifs/fqdn`` explicitly.

Source: [MS-ADTS] 3.1.1.5.1.3 (uniqueness), [MS-KILE] and the trials in docs/explanation/identity.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.identity.errors import SpnCollision, SpnInvalid

HOST = "host"
USUAL_ALIASES = (
    "host=alerter,appmgmt,cisvc,clipsrv,browser,dhcp,dnscache,replicator,eventlog,eventsystem,policyagent,oakley,dmserver,dns,"
    "mcsvc,fax,msiserver,ias,messenger,netlogon,netman,netdde,netddedsm,nmagent,plugplay,protectedstorage,rasman,rpclocator,rpc,"
    "rpcss,remoteaccess,rsvp,samss,scardsvr,scesrv,seclogon,scm,dcom,cifs,spooler,snmp,schedule,tapisrv,trksvr,trkwks,ups,time,"
    "wins,www,http,w3svc,iisadmin,msdtc"
)


@dataclass(frozen=True, slots=True)
class Spn:
    """``service/host`` and, with its separator, what follows: ``:port``, ``:instance``, ``/name``. In lower case."""

    service: str
    host: str
    rest: str = ""

    @classmethod
    def parse(cls, text: str) -> Spn:
        """Take a name apart.

        Raises:
            SpnInvalid: it has not the form ``class/host[:port|:instance][/name]``.
        """
        service, slash, place = text.lower().partition("/")
        host, rest = _until(place, ":/")
        if not slash or not service or not host:
            raise SpnInvalid(spn=text, reason="it is not class/host")
        if any(char.isspace() or not char.isprintable() for char in service + host):
            raise SpnInvalid(spn=text, reason="it holds a space or a control character")
        return cls(service, host, rest)

    def under(self, service: str) -> str:
        """The same place with another class, as text."""
        return f"{service}/{self.host}{self.rest}"


def _until(text: str, ends: str) -> tuple[str, str]:
    at = min((found for end in ends if (found := text.find(end)) >= 0), default=len(text))
    return text[:at], text[at:]


@dataclass(frozen=True, slots=True)
class Aliases:
    """Which class stands for which others: ``by_alias`` maps ``cifs`` to ``host``."""

    by_alias: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, mappings: Iterable[str]) -> Aliases:
        """From the values of ``sPNMappings``, such as ``host=alerter,cifs,http``; the usual ones where there are none."""
        pairs = [line.lower().partition("=") for line in (tuple(mappings) or (USUAL_ALIASES,))]
        return cls({alias.strip(): name.strip() for name, _, aliases in pairs for alias in aliases.split(",")})

    def collide(self, one: str, other: str) -> bool:
        """Whether two accounts with one of these each would be two owners of the same name."""
        first, second = Spn.parse(one), Spn.parse(other)
        if (first.host, first.rest) != (second.host, second.rest):
            return False
        return first.service in {second.service, self.by_alias.get(second.service)} or second.service == (
            self.by_alias.get(first.service)
        )

    def rivals(self, spn: str) -> tuple[str, ...]:
        """Every name that collides with this one, itself first, in lower case: what to search for."""
        own = Spn.parse(spn)
        above = self.by_alias.get(own.service)
        below = sorted(alias for alias, name in self.by_alias.items() if name == own.service)
        return tuple(own.under(one) for one in dict.fromkeys((own.service, *([above] if above else []), *below)))


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds what now: the two accounts, and (account, name) of every other one that holds something of interest."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    others: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """What is deleted at the one account (stored spelling), then added at the other."""

    take: tuple[str, ...] = ()
    give: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """There is nothing to do."""
        return not self.take and not self.give


def wanted_spns(names: Iterable[str], services: Iterable[str], more: Iterable[str] = ()) -> tuple[str, ...]:
    """Each service at each name, then the further ones, without repetition.

    >>> wanted_spns(["alpha", "alpha.lab.example"], ["HOST", "cifs"])
    ('HOST/alpha', 'HOST/alpha.lab.example', 'cifs/alpha', 'cifs/alpha.lab.example')
    """
    hosts = tuple(names)
    return unique([*(f"{service}/{name}" for service in services for name in hosts), *more])


def unique(spns: Iterable[str]) -> tuple[str, ...]:
    """Each name once, in its first spelling."""
    found: dict[str, str] = {}
    for one in spns:
        found.setdefault(one.lower(), one)
    return tuple(found.values())


def plan_take(wanted: Sequence[str], held: Held, aliases: Aliases) -> Move:
    """What the source loses and the target gets, so that the target alone owns every wanted name.

    With a name goes all that the source holds and that collides with it, each in the source's spelling.

    Raises:
        SpnInvalid: a wanted name has no form.
    """
    take = _pulled_along(wanted, held.source, aliases)
    has = {one.lower() for one in held.target}
    return Move(take, tuple(one for one in unique([*take, *wanted]) if one.lower() not in has))


def _pulled_along(wanted: Sequence[str], stored: Sequence[str], aliases: Aliases) -> tuple[str, ...]:
    moving, left = list(wanted), [one for one in stored if _has_form(one)]
    while pulled := [one for one in left if any(aliases.collide(one, other) for other in moving)]:
        left = [one for one in left if one not in pulled]
        moving += pulled
    return tuple(one for one in stored if one in moving and one not in left and _has_form(one))


def _has_form(stored: str) -> bool:
    try:
        Spn.parse(stored)
    except SpnInvalid:
        return False
    return True


def refuse_collisions(spns: Iterable[str], others: Iterable[tuple[str, str]], aliases: Aliases, target: str) -> None:
    """No account but the two may hold one of these names, or one that collides with it.

    Raises:
        SpnCollision: one does.
    """
    rivals = [(owner, held) for owner, held in others if _has_form(held)]
    for spn in spns:
        for owner, held in rivals:
            if aliases.collide(spn, held):
                raise SpnCollision(spn=spn, target=target, owner=owner, held=held)


def plan_back(
    taken: Sequence[str], given: Sequence[str], target_before: Sequence[str], held: Held, aliases: Aliases
) -> tuple[Move, tuple[str, ...]]:
    """What the target loses and the source gets back, and what of it the source cannot have without a second owner.

    The target keeps what it held before. A name that the target has come by since, or that somebody else holds now, stays there.
    """
    brought = {one.lower() for one in given}
    lose = tuple(one for one in held.target if one.lower() in brought)
    before, has = {one.lower() for one in target_before}, {one.lower() for one in held.source}
    keeps = [one for one in held.target if one not in lose]
    rivals = [one for one in (*keeps, *(held_ for _, held_ in held.others)) if _has_form(one)]
    missing = [one for one in taken if one.lower() not in has]
    left = tuple(one for one in missing if any(_second_owner(one, rival, before, aliases) for rival in rivals))
    return Move(lose, tuple(one for one in missing if one not in left)), left


def _second_owner(spn: str, rival: str, before: set[str], aliases: Aliases) -> bool:
    """The same name; or a colliding one that was not there beside it before."""
    return rival.lower() == spn.lower() or (rival.lower() not in before and aliases.collide(spn, rival))
