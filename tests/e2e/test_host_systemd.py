"""The units under a real systemd: installed from the .deb, started, ordered, renewed under load, cut off, shut down, taken away."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.engine.client import AnswerRefused, EngineClient, schema
from orchestrator.hosts.debian import as_debian_package
from orchestrator.hosts.package import Package, build_package
from tests.e2e.conftest import EngineProcess, Engines, wait_for
from tests.e2e.systemd_host import SystemdHost

pytestmark = [pytest.mark.covers("ENG-INS-01", "ENG-CAP-09"), pytest.mark.slow, pytest.mark.timeout(900)]
STATE = "/var/lib/dtam/engine"
NOBODY_THERE = schema.Witness(address="127.0.0.9", fingerprint="ab" * 32, lease_s=1.0)
WRITER = """
import pathlib
journal = open("/srv/data/journal", "a", buffering=1)
number = 0
while not pathlib.Path("/run/writer-stops").exists():
    journal.write(f"{number}\\n")
    pathlib.Path(f"/srv/data/f{number % 50}").write_text(str(number))
    number += 1
pathlib.Path("/run/writer-wrote").write_text(str(number))
"""
PROTECTED = """\
[Service]
ExecStart=/bin/sleep infinity
"""
DATABASE = """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'findmnt -no FSTYPE /srv/data >>/srv/data/seen'
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture
def host(needs: Callable[..., None], tmp_path: Path) -> Iterator[SystemdHost]:
    needs("root", "fuse", "systemd", "dpkg-deb")
    made = SystemdHost("alpha", tmp_path / f"alpha-{os.getpid()}")
    try:
        yield made.boot()
    finally:
        made.remove()


def engine_of(host: SystemdHost) -> EngineClient:
    return EngineClient.local(f"/proc/{host.pid}/root{STATE}/control.sock", timeout_s=60)


def installed(host: SystemdHost, package: Package) -> str:
    host.run("cat >/root/dtam-engine.deb", as_debian_package(package))
    return host.run("dpkg -i /root/dtam-engine.deb")


def later(package: Package) -> Package:
    """The same with one file more: another release."""
    site = next(name for name in package.files if name.endswith("/orchestrator/__init__.py")).rpartition("/")[0]
    version, digest, *rest = package.release.split("-")
    files = {**package.files, f"{site}/later.py": b'"""A later version."""\n'}
    return Package("-".join((version, digest[::-1], *rest)), files, package.programs)


def beta_beside(host: SystemdHost, engines: Engines) -> EngineProcess:
    """Another engine, which shares the wire of the host and nothing else."""
    beta = engines.make("beta", "127.0.0.3", start=False)
    beta.enter = ["nsenter", f"--net=/proc/{host.pid}/ns/net", "--"]
    return beta.start()


def connected(host: SystemdHost, beta: EngineProcess, target: Path) -> str:
    with beta.local() as there, engine_of(host) as alpha:
        shown, token = there.server(), there.create_token("pairing", schema.Scope.ADMIN).token
        alpha.pair(
            schema.PairRequest(
                address=beta.address, control_port=shown.control_port, fingerprint=shown.fingerprint, token=token,
                own_address="127.0.0.2",
            )
        )  # fmt: skip
        alpha.create_replication_set(schema.ReplicationSet(name="data", root="/srv/data", rules=[schema.Rule()]))
        mapping = schema.Mapping(kind="custom", pairs=[schema.PathPair(source="/srv/data", target=str(target))])
        return alpha.connect(schema.ConnectionRequest(replication_set="data", target="beta", mapping=mapping)).key


def protect(host: SystemdHost) -> None:
    """A protection whose witness does not answer: nothing is confirmed until a person says so."""
    with engine_of(host) as alpha:
        own = alpha.server()
        side = schema.EngineSide(
            name="alpha", engine_id=own.engine_id, control_address="127.0.0.2", fingerprint=own.fingerprint
        )
        other = side.model_copy(update={"name": "other", "engine_id": "f" * 32, "control_address": "127.0.0.4"})
        alpha.put_protection(
            schema.Protection(
                id="files", application="fileprint", role="source", epoch=1, source=side, target=other,
                replication_set="none", witness=NOBODY_THERE,
            )
        )  # fmt: skip


def good(host: SystemdHost, key: str) -> bool:
    with engine_of(host) as alpha:
        status = alpha.connection(key)
    return status.state == "Started" and status.target_data_state == "good"


def is_active(host: SystemdHost, unit: str) -> str:
    return host.ask(f"systemctl is-active {unit}")


def lay_units(host: SystemdHost) -> None:
    """A service that the engine starts, and one of the boot that uses the captured directory."""
    host.run("cat >/etc/systemd/system/protected.service", PROTECTED.encode())
    host.run("cat >/etc/systemd/system/database.service", DATABASE.encode())
    host.run(
        "cd /etc/systemd/system && mkdir protected.service.d database.service.d && "
        "sed s/PROTECTION/files/ /opt/dtam/current/host/protected-service.conf >protected.service.d/dtam.conf && "
        "sed s,DIRECTORY,/srv/data, /opt/dtam/current/host/over-capture.conf >database.service.d/dtam-capture.conf && "
        "systemctl daemon-reload && systemctl enable database.service"
    )


def captured_by(host: SystemdHost) -> str:
    return host.ask("pgrep -f '[d]tcapture-.*--mountpoint /srv/data'")


def test_an_engine_lives_its_life_under_systemd(host: SystemdHost, engines: Engines, tmp_path: Path) -> None:
    package = build_package()
    before = set(host.run("find /etc /opt /usr/local/bin /var/lib/dtam* /var/cache 2>/dev/null; true").splitlines())
    assert "the engine runs release" in installed(host, package)
    assert (is_active(host, "dtengine"), host.ask("systemctl --failed --no-legend")) == ("active", "")

    # A captured directory: refused for the root, seen by everybody, listed, kept.
    host.run("mkdir /srv/data && echo old >/srv/data/old")
    with engine_of(host) as alpha, pytest.raises(AnswerRefused, match="the root cannot be a replication mount"):
        alpha.mount(schema.MountRequest(path="/"))
    host.run("dtengine mounts add /srv/data")
    assert host.ask("findmnt -no FSTYPE /srv/data") == "fuse.dtcapture"
    assert host.ask("systemctl is-active srv-data.mount") == "active"
    lay_units(host)
    host.run("systemctl start database")

    # The units that are closed tightly can do their work.
    host.run("systemctl start dtwitness")
    wait_for(lambda: '"port":6322' in host.ask("journalctl -u dtwitness -o cat"), 60, "the witness")
    protect(host)
    assert host.shell("dtengine fence --check files").returncode == 1
    assert host.shell("systemctl start --no-block protected").returncode == 0
    assert is_active(host, "protected") == "inactive"
    with engine_of(host) as alpha:
        alpha.protection_action("files", "unfence", forced=True, by="ada", reason="the other side is off")
    wait_for(lambda: is_active(host, "protected") == "active", 120, "the fence unit to let the service start")

    # Renewed under load: the daemon is another, everything that it started goes on.
    beta, target = beta_beside(host, engines), tmp_path / "replica"
    key = connected(host, beta, target)
    wait_for(lambda: good(host, key), 120, "a good replica")
    host.run("cat >/root/writer.py", WRITER.encode())
    host.run("systemd-run --unit=writer python3 /root/writer.py")
    capture, daemon = captured_by(host), host.ask("systemctl show -P MainPID dtengine")
    assert "the engine runs release" in installed(host, later(package))
    assert host.ask("systemctl show -P MainPID dtengine") != daemon
    assert captured_by(host) == capture
    assert is_active(host, "protected") == "active"
    host.run("touch /run/writer-stops")
    wait_for(lambda: host.ask("cat /run/writer-wrote"), 120, "the writer's end")
    wait_for(lambda: good(host, key), 120, "a good replica")
    with engine_of(host) as alpha:
        alpha.connection_action(key, "settle", timeout_s=120)
    assert (target / "journal").read_text() == "".join(f"{n}\n" for n in range(int(host.run("cat /run/writer-wrote"))))

    with engine_of(host) as alpha, pytest.raises(AnswerRefused, match="it is connected"):
        alpha.unmount("/srv/data")

    # Power is cut: captured again before the database looks; the protected service waits to be told.
    host.power_cut()
    beta.kill()  # its wire was the host's
    host.boot()
    assert is_active(host, "dtengine") == "active"
    assert host.run("cat /srv/data/seen").splitlines() == ["fuse.dtcapture"] * 2
    assert is_active(host, "protected") == "inactive"
    assert host.shell("dtengine fence --check files").returncode == 1
    with engine_of(host) as alpha:
        alpha.protection_action("files", "unfence", forced=True, by="ada", reason="the other side is off")
    host.run("systemctl start protected")

    # An end in order is no loss: the log goes on where it was.
    with engine_of(host) as alpha:
        alpha.disconnect(key)
        wait_for(
            lambda: all(one.released_sequence == one.committed_sequence for one in alpha.mounts()), 120, "all let go"
        )
        log_id = alpha.mounts()[0].log_id
    host.shut_down()
    host.boot()
    with engine_of(host) as alpha:
        (mount,) = alpha.mounts()
    assert (mount.state, mount.log_id) == ("capturing", log_id)

    # Where the capture is missing, what writes into the directory is not started.
    host.run("systemctl stop database")
    with engine_of(host) as alpha:
        refused = host.shell("dpkg -r dtam-engine")
        assert refused.returncode != 0
        assert b"the engine has a part in files" in refused.stdout
        alpha.delete_protection("files")
        alpha.unmount("/srv/data")
    assert host.shell("systemctl start database").returncode != 0
    assert host.run("cat /srv/data/seen") == "fuse.dtcapture\n" * 3

    # It goes, and the data stays.
    host.run("systemctl stop dtwitness && rm -r /etc/systemd/system/protected.* /etc/systemd/system/database.*")
    host.run("rm -f /etc/systemd/system/multi-user.target.wants/database.service")
    host.run("dpkg -r dtam-engine && systemctl daemon-reload && systemctl reset-failed")
    assert json.loads(host.run("systemctl list-units --all --output=json 'dt*'")) == []
    assert host.ask("pgrep -f '[d]tengine|[d]tcapture'") == ""
    after = set(host.run("find /etc /opt /usr/local/bin /var/lib/dtam* /var/cache 2>/dev/null; true").splitlines())
    assert after - before <= {"/etc/systemd/system/multi-user.target.wants", "/var/lib/dtwitness"}
