"""What can go wrong in the lab on purpose: power, wires, and the one who made it; and how it is put back."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from orchestrator.model.settings import Settings
from tests.lab import playing
from tests.lab.__main__ import TO_TRY, running
from tests.lab.controllers import answers
from tests.lab.domain import Lab
from tests.lab.hosts import PROJECT, LabHost
from tests.lab.keeper import ROOM
from tests.lab.places import PLACES
from tests.lab.waiting import until

WAITER = """
import socket, sys
peer = socket.create_connection((sys.argv[1], 445), 10)
print("connected", flush=True)
sys.stdin.readline()
peer.settimeout(0.5)
try:
    print("said", peer.recv(1))
except TimeoutError:
    print("silence")
except OSError as error:
    print("told", error)
"""


def _reaches(host: LabHost, other: str) -> bool:
    return not host.run(["ping", "-c", "1", "-W", "1", PLACES[other].address], check=False).returncode


def _until_reached(host: LabHost, other: str) -> None:
    until(f"{host.name} reaches {other}", lambda: _reaches(host, other), 30)


def test_a_function_of_the_test_runs_on_a_host_and_may_fail_there(lab: Lab) -> None:
    assert lab.host("beta").call(socket.gethostname) == "beta"
    with pytest.raises(ConnectionRefusedError):
        lab.host("beta").call(socket.create_connection, ("127.0.0.1", 9))


def test_a_power_cut_is_silent_and_what_was_on_disk_is_there_after_the_boot(lab: Lab) -> None:
    beta = lab.host("beta")
    beta.write("/srv/kept", "on disk\n")
    beta.write("/run/lost", "in memory\n")
    waiter = lab.host("client").popen(
        [sys.executable, "-c", WAITER, beta.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert waiter.stdout is not None
    assert waiter.stdout.readline() == "connected\n"
    beta.power_cut()
    assert waiter.communicate("\n", timeout=60)[0] == "silence\n"
    assert not _reaches(lab.host("client"), "beta")
    assert beta.path("/srv/kept").read_text() == "on disk\n"
    beta.boot()
    assert beta.run(["cat", "/srv/kept"]).stdout == "on disk\n"
    assert not beta.path("/run/lost").exists()
    beta.path("/srv/kept").unlink()
    ticket = lab.ticket("client", "reader")
    smb = ["smbclient", "--use-kerberos=required", "-L", "//beta.lab.example"]
    assert "IPC$" in lab.host("client").run(smb, env=ticket).stdout


def test_a_wire_is_cut_wholly_or_towards_one_and_mended(lab: Lab) -> None:
    alpha, link = lab.host("alpha"), lab.link("alpha")
    link.cut()
    assert not _reaches(alpha, "beta")
    link.mend()
    _until_reached(alpha, "beta")
    link.cut(towards="witness")
    assert not _reaches(alpha, "witness")
    assert not _reaches(lab.host("witness"), "alpha")
    _until_reached(alpha, "beta")
    link.mend()
    _until_reached(alpha, "witness")


def test_a_wire_loses_and_delays_also_after_the_next_boot(lab: Lab) -> None:
    witness, link = lab.host("witness"), lab.link("witness")
    link.loss(100)
    assert not _reaches(witness, "beta")
    link.mend()
    link.delay(20)
    until("frames take longer both ways", lambda: _there_and_back_ms(witness, "beta") >= 40, 30)
    witness.run(["smbclient", "-L", f"//{PLACES['beta'].address}", "-A", lab.admin_auth_file])  # large frames pass, too
    witness.power_cut()
    witness.boot()
    until("frames take longer both ways", lambda: _there_and_back_ms(witness, "beta") >= 40, 30)
    link.mend()
    _until_reached(witness, "beta")


def _there_and_back_ms(host: LabHost, other: str) -> float:
    said = host.run(["ping", "-c", "2", "-i", "0.2", "-W", "5", PLACES[other].address]).stdout
    return float(said.rpartition("= ")[2].split("/")[0])


def test_reset_puts_back_names_accounts_shares_addresses_power_and_wires(lab: Lab) -> None:
    first, beta = lab.host("dc1"), lab.host("beta")
    first.run(["samba-tool", "spn", "add", "cifs/alpha.lab.example", "BETA$"])
    first.run(["samba-tool", "dns", "delete", "localhost", "lab.example", "alpha", "A", "10.53.0.10", *_as_admin(lab)])
    first.run(["samba-tool", "dns", "add", "localhost", "lab.example", "stray", "A", "10.53.0.9", *_as_admin(lab)])
    delete = "server 10.53.0.4\nupdate delete alpha.branch.example A\nsend\n"
    beta.run(["nsupdate", "-k", lab.tsig_key_file], input=delete)
    beta.run(["ip", "addr", "add", "10.53.0.10/24", "dev", "eth0"])
    beta.run(["net", "conf", "addshare", "stray", "/srv"])
    beta.add_nic("eth1", 1, "10.53.1.21")
    beta.run(["ping", "-c", "1", "-W", "5", "-I", "eth1", "10.53.1.40"])
    lab.host("alpha").power_cut()
    lab.link("beta").cut()
    lab.reset()
    assert "eth1" not in beta.run(["ip", "link"]).stdout
    for name in ("alpha.lab.example", "alpha.branch.example"):
        assert answers(beta, PLACES["dc1"].address, name, "A") == PLACES["alpha"].address
    assert not answers(beta, PLACES["dc1"].address, "stray.lab.example", "A")
    assert "cifs/" not in first.run(["samba-tool", "spn", "list", "BETA$"]).stdout
    assert "10.53.0.10" not in beta.run(["ip", "addr"]).stdout
    assert not beta.run(["net", "conf", "listshares"]).stdout
    assert lab.host("alpha").run(["id", "writer"]).stdout


def _as_admin(lab: Lab) -> list[str]:
    return [f"-UAdministrator%{lab.admin_password}"]


def _everything_of(init: int) -> set[int]:
    """The processes in the network namespace of a host."""
    network = os.readlink(f"/proc/{init}/ns/net")
    return {int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit() and _network(one) == network}


def _network(process: Path) -> str:
    try:
        return os.readlink(process / "ns/net")
    except OSError:
        return ""


def _left_outside() -> list[str]:
    """What of a lab stands on the machine itself: mounts, network links, its room."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout.splitlines()
    named = re.compile(rf"^\d+: (lan\d|({'|'.join(PLACES)})[.@:-])")
    return (
        [one for one in mounts if str(ROOM) in one]
        + [one for one in links if named.match(one)]
        + [str(one) for one in ROOM.glob("*")]
    )


def test_two_labs_at_once_and_nothing_left_of_one_whose_maker_was_killed(lab: Lab, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("w") as out:
        maker = subprocess.Popen([sys.executable, "-m", "tests.lab", "up"], cwd=PROJECT, stdout=out, stderr=out)
    try:
        until("the second lab is up", lambda: maker.poll() is not None or "The lab is up" in said.read_text(), 280)
        assert maker.poll() is None, said.read_text()
        for host, command in TO_TRY:
            assert command in said.read_text()
            _try(maker.pid, host, command)
        mine = {lab.host(name).pid for name in ("dc1", "alpha", "client")}
        other = running()[str(maker.pid)]
        assert set(other) >= {"dc1", "ns2", "alpha", "beta", "client", "witness"}
        assert not mine & set(other.values())
        assert answers(lab.host("client"), PLACES["dc1"].address, "alpha.lab.example", "A") == PLACES["alpha"].address
        assert _switched(maker.pid, "witness", "off") == 0
        assert "witness" not in running()[str(maker.pid)]
        assert _switched(maker.pid, "witness", "on") == 0
        other = running()[str(maker.pid)]
        assert "witness" in other
        assert _switched(maker.pid, "nobody", "off") == 1
        processes = set().union(*(_everything_of(init) for init in other.values()))
        assert len(processes) > 20
    finally:
        os.kill(maker.pid, signal.SIGKILL)
        maker.wait()
    until(
        "all processes of the killed lab are gone",
        lambda: not any(os.path.exists(f"/proc/{one}") for one in processes),
        60,
    )
    assert str(maker.pid) not in running()
    assert not _left_outside()


def test_windows_servers_that_people_play_with_are_ready_to_be_protected(lab: Lab) -> None:
    try:
        playing.prepare(lab)
        client, source = lab.host("client"), lab.windows(playing.SERVERS[0])
        settings = Settings.model_validate(yaml.safe_load(client.path(playing.FILE).read_text()))
        assert (settings.source, settings.name) == (source.host.name, source.host.fqdn)
        asks = ["sh", "-c", playing.ASK]
        until("the share answers", lambda: "blocks of size" in client.run(asks, check=False, timeout_s=60).stdout, 60)
        assert source.control.ask("machine", call="computer.modules")["StorageReplica"]
    finally:
        lab.host("client").path(playing.FILE).unlink(missing_ok=True)
        lab.reset_windows()


def _switched(maker: int, host: str, state: str) -> int:
    words = [sys.executable, "-m", "tests.lab", "power", host, state]
    return subprocess.run(
        words, cwd=PROJECT, env={**os.environ, "LAB": str(maker)}, timeout=120, capture_output=True, check=False
    ).returncode


def _try(maker: int, host: str, command: str) -> None:
    words = [sys.executable, "-m", "tests.lab", "shell", host, f"set -e; {command}"]
    done = subprocess.run(
        words,
        cwd=PROJECT,
        env={**os.environ, "LAB": str(maker)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    assert done.stdout
