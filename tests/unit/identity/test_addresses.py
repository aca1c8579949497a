"""Addresses: what is refused, what is added and announced, and that exactly that is removed again. The network is a fake."""

from __future__ import annotations

import json
import threading
from ipaddress import IPv4Address, IPv6Address

import pytest

from orchestrator.identity.addresses import AddressDocument, Addresses, TakenAddresses, WantedAddress
from orchestrator.identity.errors import (
    AcrossSubnets,
    AddressInUse,
    DocumentInvalid,
    InterfaceUnusable,
    TakenUnusable,
)
from orchestrator.identity.taken import load
from orchestrator.identity.wire import advertisement, arp, owner_in
from orchestrator.model.subnets import on_link
from tests.unit.identity.fakes import FakeHost, FakeWire

MAC, OTHER = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
ALPHA = IPv4Address("10.0.0.10")


def world(tmp_path, owned=None):
    host = FakeHost({"lan": {"addresses": ["10.0.0.20/24", "fd00::20/64"]}, "off": {"addresses": [], "up": False}})
    return host, Addresses(host, FakeWire(owned or {}), tmp_path / "undo.json", lambda _: None)


def document(*addresses: tuple[str, int, str], **more: bool) -> AddressDocument:
    return AddressDocument(tuple(WantedAddress(*one) for one in addresses), **more)


BOTH = document(("10.0.0.10", 24, "lan"), ("fd00::10", 64, "lan"))


def test_taken_announced_and_given_back(tmp_path):
    host, one = world(tmp_path)
    before = json.dumps(host.interfaces)
    assert not one.show(BOTH).so
    assert [line.state for line in one.plan(BOTH).lines] == ["would-take", "would-take"]
    assert json.dumps(host.interfaces) == before
    assert one.take(BOTH).so
    assert one.show(BOTH).so
    assert one.wire.announced == [("lan", "10.0.0.10"), ("lan", "fd00::10")]
    assert [line.state for line in one.take(BOTH).lines] == ["already", "already"]
    assert len(one.wire.announced) == 4, "what is here is announced again"
    assert [line.state for line in one.back().lines] == ["given-back", "given-back"]
    assert json.dumps(host.interfaces) == before
    assert one.back().remarks == ("nothing was taken",)


def test_a_subnet_of_its_own_is_given_back_whole(tmp_path):
    """Linux may delete the other addresses of a subnet with its first one."""
    host, one = world(tmp_path)
    elsewhere = document(("10.9.0.10", 24, "lan"), ("10.9.0.11", 24, "lan"), across_subnets=True)
    assert one.take(elsewhere).so
    assert one.back().so
    assert host.interfaces["lan"]["addresses"] == ["10.0.0.20/24", "fd00::20/64"]


def test_a_network_that_may_not_be_asked_is_told(tmp_path):
    host, one = world(tmp_path)

    with pytest.raises(InterfaceUnusable, match=r"cannot be asked through it \(Operation not permitted\)"):
        Addresses(host, FakeWire(closed=True), one.undo, lambda _: None).take(BOTH)
    assert not one.undo.exists()


@pytest.mark.parametrize("damage", ["\\xff", "nonsense"])
def test_a_damaged_undo_file_changes_nothing_and_is_told(tmp_path, damage):
    host, one = world(tmp_path)
    before = json.dumps(host.interfaces)
    one.take(BOTH)
    raw = one.undo.read_bytes().replace(b"10.0.0.10", damage.encode().replace(b"\\xff", b"\xff"))
    one.undo.write_bytes(raw)
    taken = json.dumps(host.interfaces)
    with pytest.raises(TakenUnusable, match="it is damaged"):
        one.back()
    assert json.dumps(host.interfaces) == taken != before
    assert one.undo.read_bytes() == raw


def test_an_address_without_form_is_refused_by_every_deed(tmp_path):
    _, one = world(tmp_path)
    for deed in (one.show, one.plan, one.take):
        with pytest.raises(DocumentInvalid, match="nonsense"):
            deed(document(("nonsense", 24, "lan")))


def test_what_was_here_before_stays(tmp_path):
    host, one = world(tmp_path)
    host.interfaces["lan"]["addresses"].append("10.0.0.10/24")
    assert one.take(BOTH).so
    one.back()
    assert host.interfaces["lan"]["addresses"] == ["10.0.0.20/24", "fd00::20/64", "10.0.0.10/24"]


def test_all_addresses_are_asked_for_and_announced_at_once(tmp_path):
    """Each waits for the network: the last is asked before the first is answered."""
    everybody = threading.Barrier(3, timeout=60)

    class Waiting(FakeWire):
        def answered_by(self, _interface, _address):
            everybody.wait()

        def announce(self, interface, address):
            everybody.wait()
            super().announce(interface, address)

    host, _ = world(tmp_path)
    wire = Waiting()
    three = document(*((f"10.0.0.{one}", 24, "lan") for one in (10, 11, 12)))
    assert Addresses(host, wire, tmp_path / "undo.json", lambda _: None).take(three).so
    assert sorted(wire.announced) == [("lan", f"10.0.0.{one}") for one in (10, 11, 12)]


def test_what_is_answered_for_is_not_taken(tmp_path):
    host, one = world(tmp_path, {"10.0.0.10": "02:00:00:00:00:02"})
    assert one.plan(BOTH).lines[0].says == "on lan, once 02:00:00:00:00:02 answers for it no more"
    with pytest.raises(AddressInUse, match="02:00:00:00:00:02 still answers"):
        one.take(BOTH)
    assert host.interfaces["lan"]["addresses"] == ["10.0.0.20/24", "fd00::20/64"]
    assert not one.undo.exists()
    assert one.take(document(("10.0.0.10", 24, "lan"), conflict_check=False)).so


@pytest.mark.parametrize(
    ("wanted", "error", "says"),
    [
        (("10.0.1.10", 24, "lan"), AcrossSubnets, "lan is in 10.0.0.0/24, fd00::/64, another subnet"),
        (("fd01::10", 64, "lan"), AcrossSubnets, "Routers send packets for an address to its own subnet"),
        (("10.0.0.10", 24, "off"), InterfaceUnusable, "it is down"),
        (("10.0.0.10", 24, "nic"), InterfaceUnusable, "there is none of that name"),
        (("10.0.0", 24, "lan"), DocumentInvalid, "10.0.0"),
        (("127.0.0.5", 8, "lan"), DocumentInvalid, "belongs to no server"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_reason(tmp_path, wanted, error, says):
    _, one = world(tmp_path)
    with pytest.raises(error, match=says):
        one.take(document(wanted))


def test_an_address_of_another_interface_is_refused(tmp_path):
    host, one = world(tmp_path)
    host.interfaces["san"] = {"addresses": ["10.0.0.10/24"]}
    with pytest.raises(InterfaceUnusable, match="san has it"):
        one.take(BOTH)


def test_another_subnet_is_taken_only_where_routers_are_led_over(tmp_path):
    host, one = world(tmp_path)
    assert one.take(document(("10.0.1.10", 24, "lan"), across_subnets=True)).so
    with pytest.raises(AcrossSubnets):
        one.take(document(("10.0.1.11", 24, "lan")))
    one.back()
    assert host.interfaces["lan"]["addresses"] == ["10.0.0.20/24", "fd00::20/64"]


def test_the_undo_is_on_disk_before_the_first_address(tmp_path):
    host, one = world(tmp_path)
    host.run = lambda words, text="", run=host.run: run(words, text) if words[1] != "address" else 1 / 0
    with pytest.raises(ZeroDivisionError):
        one.take(BOTH)
    assert load(one.undo, TakenAddresses).added == BOTH.addresses


def test_an_address_belongs_to_its_own_network_only():
    assert on_link("10.0.0.10", ["10.0.0.20/24"])
    assert not on_link("10.0.0.10", ["10.0.0.20/32", "fd00::1/64"])
    assert not on_link("10.0.0.130", ["10.0.0.20/25"])
    assert not on_link("10.0.0.10", [])


def test_frames_are_as_the_standards_say():
    probe = arp(1, MAC, b"\0" * 4, ALPHA.packed)
    assert (
        probe.hex()
        == "ffffffffffff"
        + MAC.hex()
        + "0806"
        + "0001080006040001"
        + MAC.hex()
        + "00000000"
        + "000000000000"
        + "0a00000a"
    )
    assert owner_in(probe, ALPHA.packed, OTHER) is None, "a probe owns nothing"
    assert owner_in(arp(2, OTHER, ALPHA.packed, ALPHA.packed), ALPHA.packed, MAC) == OTHER
    assert owner_in(arp(2, MAC, ALPHA.packed, ALPHA.packed), ALPHA.packed, MAC) is None, "that is ourselves"
    assert owner_in(arp(2, OTHER, b"\x0a\0\0\x0b", ALPHA.packed), ALPHA.packed, MAC) is None
    assert owner_in(b"short", ALPHA.packed, MAC) is None
    packet = advertisement(IPv6Address("fd00::10").packed, MAC)
    assert packet.hex() == "88000000" + "20000000" + "fd00" + "00" * 13 + "10" + "0201" + MAC.hex()
