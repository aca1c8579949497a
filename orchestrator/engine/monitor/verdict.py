"""What the answers mean: from probe results to a named condition, a colour, a countdown and a sentence. Pure.

Words: a *round* is one probe of every monitored address that is due. An address is asked at its own *pace*: every ``interval_s``, and it is
*silent* when ``missed`` probes in a row brought no answer; rounds are as frequent as the quickest pace. The countdown falls by rounds that were truly asked, not by time that passed: a monitor that was
frozen for an hour has not seen an hour of silence. Yellow from 25 % missed (Linux User's Guide, chapter 13).

``require`` says how many addresses must be silent before the source counts as failed: ``all`` of them, or ``any`` one.
With method ``both`` an address that answers either way is not silent; when only the echo answers, the host is up and its engine
is not (EngineSilent): that is a matter for a person, never for a failover by itself.

Invariant: ``failed`` is true only in SourceSilent, and only when every other sign of life is absent as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Method = Literal["udp", "icmp"]
YELLOW_FRACTION = 0.25


class Condition(StrEnum):
    """What is the matter with the source, as far as can be told from here."""

    STARTING = "Starting"
    SOURCE_ALIVE = "SourceAlive"
    SOURCE_MISSING = "SourceMissing"
    ADDRESS_SILENT = "AddressSilent"
    ENGINE_SILENT = "EngineSilent"
    LINK_SUSPECTED = "LinkSuspected"
    SOURCE_SILENT = "SourceSilent"


class Colour(StrEnum):
    """The bullet of the guide."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often an address is asked, and how many missed replies in a row make it silent."""

    interval_s: float
    missed: int

    @property
    def timeout_s(self) -> float:
        """The whole time to fail, in seconds."""
        return self.interval_s * self.missed


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """How one source is watched: every address at the common pace, but those in ``own`` at theirs."""

    addresses: tuple[str, ...]
    method: Literal["udp", "icmp", "both"] = "udp"
    require: Literal["any", "all"] = "all"
    interval_s: float = 1.0
    missed: int = 5
    manual_intervention: bool = True
    own: Mapping[str, Pace] = field(default_factory=dict)

    def pace(self, address: str) -> Pace:
        """The pace of an address."""
        return self.own.get(address) or Pace(self.interval_s, self.missed)

    @property
    def round_s(self) -> float:
        """The time between two rounds, in seconds: the quickest address's."""
        return min((self.pace(address).interval_s for address in self.addresses), default=self.interval_s)

    @property
    def methods(self) -> tuple[Method, ...]:
        """The methods asked in each round."""
        return ("udp", "icmp") if self.method == "both" else (self.method,)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one probe of one address brought. ``says`` tells why there was none."""

    address: str
    method: Method
    answered: bool
    round_trip_s: float | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class Observations:
    """One round, and other signs of life.

    ``witness_sees_source``: the source renewed its lease at the witness within the last lease; None = not known.
    ``data_heard_s``: how long ago anything authentic came over the data connection; None = never or not known.
    """

    answers: tuple[Answer, ...]
    witness_sees_source: bool | None = None
    data_heard_s: float | None = None


@dataclass(frozen=True, slots=True)
class AddressHealth:
    """One address: rounds missed in a row by each method, whether it ever answered."""

    address: str
    udp_missed: int = 0
    icmp_missed: int = 0
    ever_answered: bool = False
    says: str = ""

    def missed(self, method: str) -> int:
        """Rounds in a row without any answer, by the method of the settings."""
        by_method = {"udp": self.udp_missed, "icmp": self.icmp_missed}
        return by_method.get(method, min(self.udp_missed, self.icmp_missed))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one round; given back as ``previous`` at the next."""

    condition: Condition
    colour: Colour
    failed: bool
    time_to_fail_s: float
    sentence: str
    looks_again_s: float
    judged_at_s: float
    addresses: tuple[AddressHealth, ...]
    votes: tuple[str, ...] = ()
    missed: int = 0
    allowed: int = 0
    """Missed replies in a row, and how many make it silent, of the address that decides."""

    def colour_of(self, address: str, settings: MonitorSettings) -> Colour:
        """The bullet beside one address."""
        found = next((health for health in self.addresses if health.address == address), AddressHealth(address))
        return _colour(found.missed(settings.method), settings.pace(address).missed)


def judge(seen: Observations, previous: Verdict | None, settings: MonitorSettings, now_s: float) -> Verdict:
    """Name the condition of the source.

    Args:
        seen: the answers of this round, and what else shows life.
        previous: the verdict of the round before; None at the first.
        settings: how it is watched.
        now_s: when this round was judged, monotonic seconds; only kept, never compared.
    """
    healths = tuple(_after(seen, _before(previous, address), settings) for address in settings.addresses)
    decides = _deciding(healths, settings)
    condition = _condition(seen, healths, decides, settings)
    return Verdict(
        condition=condition,
        colour=_colour_of_source(condition, decides),
        failed=condition is Condition.SOURCE_SILENT,
        time_to_fail_s=decides.time_to_fail_s,
        sentence=_sentence(condition, healths, decides, settings),
        looks_again_s=settings.round_s,
        judged_at_s=now_s,
        addresses=healths,
        votes=_votes(seen, healths, settings),
        missed=decides.missed,
        allowed=decides.pace.missed,
    )


def _before(previous: Verdict | None, address: str) -> AddressHealth:
    known = previous.addresses if previous is not None else ()
    return next((health for health in known if health.address == address), AddressHealth(address))


def _after(seen: Observations, before: AddressHealth, settings: MonitorSettings) -> AddressHealth:
    answers = [answer for answer in seen.answers if answer.address == before.address]
    return AddressHealth(
        address=before.address,
        udp_missed=_count(answers, "udp", before.udp_missed),
        icmp_missed=_count(answers, "icmp", before.icmp_missed),
        ever_answered=before.ever_answered or any(answer.answered for answer in answers),
        says="; ".join(answer.says for answer in answers if answer.says and answer.method in settings.methods),
    )


def _count(answers: Sequence[Answer], method: Method, before: int) -> int:
    """A method that was not asked this round counts neither way."""
    asked = [answer for answer in answers if answer.method == method]
    if not asked:
        return before
    return 0 if any(answer.answered for answer in asked) else before + 1


@dataclass(frozen=True, slots=True)
class _Countdown:
    """Where the address stands that decides."""

    missed: int
    pace: Pace

    @property
    def time_to_fail_s(self) -> float:
        return max(0, self.pace.missed - self.missed) * self.pace.interval_s


def _deciding(healths: Sequence[AddressHealth], settings: MonitorSettings) -> _Countdown:
    """With ``all`` the last one to fail, one that answers before all; with ``any`` the first one, of those that miss replies."""
    downs = [_Countdown(health.missed(settings.method), settings.pace(health.address)) for health in healths]
    if not downs:
        return _Countdown(0, Pace(settings.interval_s, settings.missed))
    chosen = max if settings.require == "all" else min
    return chosen(downs, key=lambda down: (down.missed == 0, down.time_to_fail_s))


def _condition(
    seen: Observations, healths: Sequence[AddressHealth], decides: _Countdown, settings: MonitorSettings
) -> Condition:
    limits = {health.address: settings.pace(health.address).missed for health in healths}
    if decides.missed >= decides.pace.missed:
        return _silent_or_link(seen, decides.pace)
    if decides.missed > 0:
        return Condition.SOURCE_MISSING
    if settings.method == "both" and all(health.udp_missed >= limits[health.address] for health in healths):
        return Condition.ENGINE_SILENT
    if any(health.missed(settings.method) >= limits[health.address] for health in healths):
        return Condition.ADDRESS_SILENT
    if not any(health.ever_answered for health in healths):
        return Condition.STARTING
    return Condition.SOURCE_ALIVE


def _silent_or_link(seen: Observations, pace: Pace) -> Condition:
    """Silence towards us alone is a broken link, as long as somebody else still hears the source."""
    heard_lately = seen.data_heard_s is not None and seen.data_heard_s < pace.timeout_s
    if seen.witness_sees_source or heard_lately:
        return Condition.LINK_SUSPECTED
    return Condition.SOURCE_SILENT


def _colour(missed: int, limit: int) -> Colour:
    if missed >= limit:
        return Colour.RED
    return Colour.YELLOW if missed >= limit * YELLOW_FRACTION else Colour.GREEN


def _colour_of_source(condition: Condition, decides: _Countdown) -> Colour:
    match condition:
        case Condition.LINK_SUSPECTED | Condition.ENGINE_SILENT | Condition.ADDRESS_SILENT:
            return Colour.YELLOW
        case _:
            return _colour(decides.missed, decides.pace.missed)


def _sentence(
    condition: Condition, healths: Sequence[AddressHealth], decides: _Countdown, settings: MonitorSettings
) -> str:
    again = f"looking again in {settings.round_s:g} s"
    missed, limit, left_s = decides.missed, decides.pace.missed, decides.time_to_fail_s
    silent = ", ".join(health.address for health in healths if health.missed(settings.method) > 0)
    never = "" if any(health.ever_answered for health in healths) else " and has not answered since monitoring began"
    sentences = {
        Condition.STARTING: "the source has not been asked yet",
        Condition.SOURCE_ALIVE: "the source answers",
        Condition.SOURCE_MISSING: f"{silent} missed {missed} of {limit} replies; {left_s:g} s to fail",
        Condition.ADDRESS_SILENT: f"{silent} is silent, but another address answers and all must be silent to fail",
        Condition.ENGINE_SILENT: "the source's host answers the echo, its engine does not; no failover by itself",
        Condition.LINK_SUSPECTED: f"{silent} is silent to us, but the source is heard of elsewhere: the link is suspected, no failover",
        Condition.SOURCE_SILENT: f"the source is silent: {silent} missed {missed} replies ({decides.pace.timeout_s:g} s){never}",
    }
    return f"{sentences[condition]}; {again}"


def _votes(seen: Observations, healths: Sequence[AddressHealth], settings: MonitorSettings) -> tuple[str, ...]:
    """Who says what, for the decision record."""
    own = [
        f"{health.address}: {health.missed(settings.method)} of {settings.pace(health.address).missed} missed"
        for health in healths
    ]
    heard = "never" if seen.data_heard_s is None else f"{seen.data_heard_s:.1f} s ago"
    witness = {None: "witness: does not say", True: "witness: source renews", False: "witness: source does not renew"}
    return (*own, f"data connection: heard {heard}", witness[seen.witness_sees_source])
