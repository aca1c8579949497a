"""Bad luck: cuts, crashes, freezes, full disks, clocks that are set, and people, at random instants."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.schedule import Parties

LASTS_S = 40.0
LEASE_S = 3.0
DAY_S = 86400.0
Deed = Callable[[], None]


def cuts(parties: Parties) -> list[Deed]:
    """Of the network: one line, one party, both engines apart."""
    world, rng, names = parties.world, parties.world.rng, parties.names

    def cut() -> None:
        one, other = rng.sample(names, 2)
        until = world.now + rng.choice((0.5, 3, 10))
        world.say(f"cut {one} -> {other} until {until:.1f}")
        world.cut(one, other, until)
        if rng.random() < 0.6:
            world.cut(other, one, until)

    def alone(lonely: str, until: float) -> None:
        world.say(f"{lonely} is alone until {until:.1f}")
        for name in names:
            world.cut(lonely, name, until)
            world.cut(name, lonely, until)

    def isolate() -> None:
        alone(rng.choice(names), world.now + rng.choice((3, 10)))

    def split() -> None:
        """The engines do not see each other; the witness dies in the middle of it."""
        until = world.now + rng.choice((3, 6, 10))
        world.say(f"alpha and its targets are split until {until:.1f}")
        for target in parties.targets:
            world.cut("alpha", target.name, until)
            world.cut(target.name, "alpha", until)
        world.after(rng.uniform(0.5, until - world.now), parties.witness.crash)

    def hiccup() -> None:
        """The source is alone for a little longer than its lease; then the witness dies."""
        until = world.now + rng.uniform(LEASE_S, LEASE_S + 3)
        alone("alpha", until)
        world.after(until - world.now + rng.uniform(0, 2), parties.witness.crash)

    return [cut, cut, isolate, isolate, split, hiccup]


def restarts(parties: Parties) -> list[Deed]:
    """Daemons that die, or are upgraded one after the other; their hosts, files and applications go on."""
    world, rng, source = parties.world, parties.world.rng, parties.source

    def upgrade() -> None:
        both = [source.kill_daemon, *(target.kill_daemon for target in parties.targets)]
        rng.shuffle(both)
        for number, one in enumerate(both):
            world.after(number * 6.0, one)

    return [upgrade, source.kill_daemon, lambda: rng.choice(parties.targets).kill_daemon()]


def full_disks(parties: Parties) -> list[Deed]:
    """Full or read-only, for a while: the target's queue, its files, the witness's book; the source's log loses step."""
    world, rng = parties.world, parties.world.rng

    def refuse() -> None:
        target = rng.choice(parties.targets)
        name, disk = rng.choice(
            (
                (f"{target.name}'s queue", target.disk),
                (f"{target.name}'s files", target.applying.data),
                ("the witness", parties.witness.disk),
            )
        )
        why, until = rng.choice((errno.ENOSPC, errno.EROFS)), world.now + rng.choice((1, 5, 15))
        world.say(f"the disk of {name} refuses ({errno.errorcode[why]}) until {until:.1f}")
        disk.refuse(why, until)

    return [refuse, refuse, parties.source.lose_step]


def people(parties: Parties) -> list[Deed]:
    """They ask for failovers, take them back, mirror again, set clocks, and name another target."""
    world, rng, source = parties.world, parties.world.rng, parties.source

    def mirror() -> None:
        link = rng.choice(source.links)
        world.say(f"a person mirrors to {link.target.name}")
        link.mirror()

    def mirror_and_lose_the_source() -> None:
        mirror()
        world.after(rng.uniform(0.05, 2.5), source.cut_power)

    def mirror_to_a_full_disk_and_lose_the_source() -> None:
        """What arrives stays in the queue, with the beginning of the mirror, until the failover has begun."""
        for target in parties.targets:
            target.applying.data.refuse(errno.ENOSPC, world.now + rng.uniform(3, 9))
        mirror_and_lose_the_source()

    def set_clock() -> None:
        party = rng.choice((source, parties.witness, *parties.targets))
        step = rng.choice((-3650 * DAY_S, -3600.0, 3600.0, DAY_S, 3650 * DAY_S))
        world.say(f"the clock of {party.name} is set by {step:.0f} s")
        party.clock.step(step)

    def name_a_target() -> None:
        source.name_target(rng.choice(parties.targets))

    def ask() -> None:
        rng.choice(parties.targets).ask_for_failover(graceful=rng.random() < 0.7)

    def undo() -> None:
        rng.choice(parties.targets).ask_for_undo()

    return [
        ask,
        undo,
        mirror,
        mirror_and_lose_the_source,
        mirror_to_a_full_disk_and_lose_the_source,
        set_clock,
        name_a_target,
    ]


def crashes(parties: Parties) -> list[Deed]:
    """Of whole hosts; and a source that stands still."""
    world, rng, source = parties.world, parties.world.rng, parties.source
    freeze: Deed = lambda: source.freeze(world.now + rng.choice((0.5, 3, 8)))  # noqa: E731 - one of a list of deeds
    return [source.cut_power, freeze, lambda: rng.choice(parties.targets).crash(), parties.witness.crash]


def bad(parties: Parties) -> None:
    """Everything."""
    deeds = [deed for kind in (cuts, restarts, full_disks, people, crashes) for deed in kind(parties)]
    rng = parties.world.rng
    for _ in range(rng.choice((1, 3, 6, 10))):
        parties.world.after(rng.uniform(2, LASTS_S - 8), rng.choice(deeds))


def doomed_mirrors(parties: Parties) -> None:
    """Of all that people do, what is hardest on a good state: its mirror begins, and the source is lost."""
    mirror_to_a_full_disk = people(parties)[4]
    parties.world.after(parties.world.rng.uniform(8, 14), mirror_to_a_full_disk)


def upgrades(parties: Parties) -> None:
    """Cuts that are short, and every daemon upgraded one after the other: nothing that asks for a mirror or a failover."""
    world, rng = parties.world, parties.world.rng
    parties.source.queue_without_limit()
    world.loss = min(world.loss, 0.02)
    for disk in (parties.witness.disk, *(target.disk for target in parties.targets)):
        disk.hold()
    upgrade = restarts(parties)[0]
    world.after(rng.uniform(8, 12), upgrade)
    for _ in range(rng.choice((0, 2))):
        world.after(rng.uniform(8, 28), lambda: world.cut("alpha", rng.choice(parties.targets).name, world.now + 3))
