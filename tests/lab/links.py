"""The network of a lab: two subnets joined by a router, a wire to each host, and what can go wrong with a wire."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.keeper import Keeper
from tests.lab.places import PLACES, SUBNETS, Place


@dataclass
class Wire:
    """The state of one host's wire."""

    plugged: bool = False
    cut: bool = False
    loss_percent: int = 0
    cut_towards: set[str] = field(default_factory=set)
    delay_ms: float = 0
    delaying: subprocess.Popen[bytes] | None = None


class Network:
    """Bridges, the router between them, and the rules for wires that are cut or lose frames."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.wires = {name: Wire() for name in PLACES}
        lines = []
        for number, subnet in enumerate(SUBNETS):
            lines += [
                # An address of its own: else it is that of a port, and changes under the hosts that know the router by it.
                f"link add lan{number} address {_card(number, 1)} type bridge",
                f"addr add {subnet}.1/24 dev lan{number}",
                f"link set lan{number} up",
            ]
        self._ip(*lines)
        # The router answers for its address on its own side only, or hosts would reach it around the relay of a slow wire.
        settings = "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore"
        self._keeper.run(["sh", "-c", settings])

    def _ip(self, *lines: str) -> None:
        self._keeper.run(["ip", "-batch", "-"], "net", text="\n".join(lines) + "\n")

    def plug(self, place: Place, pid: int) -> None:
        """Lay the wire of a host that has just got power."""
        self._ip(
            f"link add {place.name} type veth peer name eth0 address {_card(place.subnet, place.number)} netns {pid}",
            f"link set {place.name} master lan{place.subnet} up",
        )
        self.wires[place.name].plugged = True
        lines = f"addr add {place.address}/24 dev eth0\nlink set eth0 up\nroute add default via {place.router}\n"
        subprocess.run(["nsenter", "-t", str(pid), "--net", "ip", "-batch", "-"], input=lines, text=True, check=True)
        if self.wires[place.name].delay_ms:
            self.delay(place, self.wires[place.name].delay_ms)

    def add_nic(self, place: Place, pid: int, interface: str, subnet: int, address: str) -> None:
        """One more card in a running host; it goes with the next power cut."""
        wire = f"{place.name}.{interface}"
        self._ip(
            f"link add {wire} type veth peer name {interface} netns {pid}", f"link set {wire} master lan{subnet} up"
        )
        lines = f"addr add {address}/24 dev {interface}\nlink set {interface} up\n"
        subprocess.run(["nsenter", "-t", str(pid), "--net", "ip", "-batch", "-"], input=lines, text=True, check=True)

    def remove_nics(self, place: Place) -> None:
        """Take out the cards that were added to a host."""
        self._ip(*(f"link del {one}" for one in self._wires_of(place) if "." in one))

    def _wires_of(self, place: Place) -> list[str]:
        shown = self._keeper.run(["ip", "-o", "link"], "net").splitlines()
        names = (line.split(": ")[1].partition("@")[0] for line in shown)
        return [one for one in names if one == place.name or one.startswith(place.name + ".")]

    def unplug(self, place: Place) -> None:
        """Pull all wires of a host."""
        self._stop_delay(self.wires[place.name])
        self._ip(*(f"link del {one}" for one in self._wires_of(place)))
        self.wires[place.name].plugged = False

    def enforce(self) -> None:
        """Make the rules say what the wires' state is; all at once."""
        rules = [rule for name, wire in self.wires.items() for rule in _rules(name, wire)]
        chain = "\n".join(rules)
        text = (
            "table bridge lab\ndelete table bridge lab\ntable bridge lab {\n"
            f"chain before {{\ntype filter hook prerouting priority 0\n{_only(chain, 'iifname')}\n}}\n"
            f"chain after {{\ntype filter hook postrouting priority 0\n{_only(chain, 'oifname')}\n}}\n}}\n"
        )
        self._keeper.run(["nft", "-f", "-"], "net", text=text)

    def delay(self, place: Place, delay_ms: float) -> None:
        """Every frame of this host arrives ``delay_ms`` later, in each direction; 0 takes the delay away."""
        wire = self.wires[place.name]
        self._stop_delay(wire)
        wire.delay_ms = delay_ms
        if not wire.plugged:
            return
        lan = f"lan{place.subnet}"
        if not delay_ms:
            self._ip(f"link set {place.name} master {lan}")
            return
        far, near = f"{place.name}-far", f"{place.name}-near"
        self._ip(
            f"link set {place.name} nomaster",
            f"link add {near} type veth peer name {far}",
            f"link set {near} up",
            f"link set {far} master {lan} up",
        )
        program = str(Path(__file__).with_name("slow_wire.py"))
        wire.delaying = subprocess.Popen(
            [*self._keeper.inside("net"), sys.executable, program, place.name, near, str(delay_ms / 1000)],
            stdin=subprocess.PIPE,  # it ends when this does
            stdout=subprocess.PIPE,
        )
        assert wire.delaying.stdout is not None
        assert wire.delaying.stdout.readline() == b"ready\n"

    def close(self) -> None:
        """End the relays of delayed wires; the lab is about to end."""
        for wire in self.wires.values():
            self._stop_delay(wire)

    def _stop_delay(self, wire: Wire) -> None:
        if wire.delaying is None:
            return
        wire.delaying.kill()
        wire.delaying.communicate()
        wire.delaying = None
        name = next(name for name, one in self.wires.items() if one is wire)
        self._ip(f"link del {name}-near")


def _card(subnet: int, number: int) -> str:
    """The hardware address of a host's card: the same after each boot, as a real one's."""
    return f"02:53:00:{subnet:02x}:00:{number:02x}"


def _only(rules: str, word: str) -> str:
    return "\n".join(rule for rule in rules.splitlines() if rule.startswith(word))


def _rules(name: str, wire: Wire) -> list[str]:
    ends = [f'{end} "{name}*"' for end in ("iifname", "oifname")]
    if wire.cut:
        return [f"{end} drop" for end in ends]
    rules = [f"{end} {_by_chance(wire.loss_percent)}drop" for end in ends if wire.loss_percent]
    for other in sorted(wire.cut_towards):
        rules += [
            f"{ends[0]} ip daddr {PLACES[other].address} drop",
            f"{ends[1]} ip saddr {PLACES[other].address} drop",
        ]
    return rules


def _by_chance(percent: int) -> str:
    return f"numgen random mod 100 < {percent} " if percent < 100 else ""


class Link:
    """The wire of one host, to be cut, mended and made worse. All of it survives a power cut, as a bad cable would."""

    def __init__(self, network: Network, place: Place) -> None:
        self._network = network
        self._place = place
        self._wire = network.wires[place.name]

    def cut(self, towards: str | None = None) -> None:
        """Nothing passes any more; with ``towards`` only between this host and that one. Neither end is told."""
        if towards is None:
            self._wire.cut = True
        else:
            self._wire.cut_towards.add(towards)
        self._network.enforce()

    def mend(self) -> None:
        """As good as new: no cut, no loss, no delay."""
        self._wire.cut, self._wire.loss_percent = False, 0
        self._wire.cut_towards.clear()
        self._network.enforce()
        if self._wire.delay_ms:
            self._network.delay(self._place, 0)

    def loss(self, percent: int) -> None:
        """This many of a hundred frames are lost, in each direction, by chance."""
        self._wire.loss_percent = percent
        self._network.enforce()

    def delay(self, ms: float) -> None:
        """Every frame takes ``ms`` longer, in each direction."""
        self._network.delay(self._place, ms)
