"""The engine comes to a host over a real ssh, is renewed while it captures and replicates, and goes without a trace but the data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.engine.client import EngineClient, schema
from orchestrator.hosts.installing import REMOTE, Way
from tests.e2e.conftest import Engines, free_port, wait_for
from tests.e2e.ssh_host import CLONE, SshHost

pytestmark = [pytest.mark.covers("ENG-INS-01"), pytest.mark.slow, pytest.mark.timeout(900)]
WRITER = """
import sys, threading
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
number = 0
with open("/srv/data/journal", "a") as journal:
    while not stop.wait(0.005):
        journal.write(f"{number}\\n")
        journal.flush()
        with open(f"/srv/data/f{number % 50}", "w") as file:
            file.write(str(number))
        number += 1
        if number == 1:
            print("begun", flush=True)
print(number)
"""


class Dtam:
    """``dtam`` as people start it, with a state directory of its own; another tree may stand for a later version."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.tree = CLONE

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        given = {"DTAM_HOME": str(self.home), "PATH": os.environ["PATH"], "HOME": str(self.home)}
        given |= {"PYTHONPATH": str(self.tree)}
        program = [sys.executable, "-m", "orchestrator.cli.dtam", *words]
        return subprocess.run(
            program, capture_output=True, text=True, env=given, cwd=self.tree, stdin=subprocess.DEVNULL, check=False
        )

    def well(self, *words: str) -> str:
        done = self(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHost]:
    if os.geteuid() != 0 or not Path("/usr/sbin/sshd").exists() or not Path("/dev/fuse").exists():
        yield SshHost("alpha", "", Path())  # the tests say what is missing
        return
    address = f"127.53.{os.getpid() % 200 + 20}.7"
    made = SshHost("alpha", address, tmp_path_factory.mktemp("ssh") / "alpha")
    try:
        yield made.boot()
    finally:
        made.power_off()


@pytest.fixture
def dtam(tmp_path: Path) -> Dtam:
    return Dtam(tmp_path / "dtam")


def words_of(lines: str, word: str) -> set[str]:
    return {line.split()[1].rstrip(":") for line in lines.splitlines() if line.split()[:1] == [word]}


def test_a_host_comes_is_renewed_and_goes(
    needs: Callable[..., None], host: SshHost, dtam: Dtam, engines: Engines, tmp_path: Path
) -> None:
    needs("root", "fuse", "sshd")
    ports = {name: free_port(host.address) for name in ("port", "data-port", "probe-port")}
    way = ["--ssh", host.name, "--ssh-config", str(host.ssh_config)]
    install = ["hosts", "install", "alpha", "--address", host.address, "--listen", host.address, *way]
    install += [word for name, port in ports.items() for word in (f"--{name}", str(port))]

    # Nobody there: said, with what mends it.
    silent = dtam("hosts", "add", "alpha", "--address", host.address, "--port", str(ports["port"]))
    assert "no engine answers on server alpha" in silent.stderr
    assert f"dtam hosts install alpha --address {host.address} --ssh root@{host.address}" in silent.stderr

    # The plan changes nothing.
    before = host.changed()
    planned = dtam.well(*install, "--plan")
    assert {"unpack", "login", "settings", "units", "current", "engine"} <= words_of(planned, "would")
    assert host.changed() == before

    # Without a word from anybody the engine is installed, and not trusted.
    unconfirmed = dtam(*install)
    assert "which nobody has confirmed" in unconfirmed.stderr
    assert {"unpack", "login", "settings", "units", "current", "engine"} <= words_of(unconfirmed.stdout, "done")
    assert "systemd does not run on this host" in unconfirmed.stdout
    fingerprint = json.loads(host.run("dtengine server --json"))["fingerprint"]
    assert fingerprint in unconfirmed.stderr
    wrong = dtam(*install, "--fingerprint", "ab" * 32)
    assert wrong.returncode == 9
    assert "shows the certificate" in wrong.stderr
    assert not (dtam.home / "tokens").exists()

    # With the fingerprint it is known; nothing was done twice.
    pid = host.run("cat /var/lib/dtam/engine/lock")
    again = dtam.well(*install, "--fingerprint", fingerprint)
    assert not words_of(again, "done")
    assert "alpha is known" in again
    assert host.run("cat /var/lib/dtam/engine/lock") == pid
    assert (dtam.home / "tokens/alpha.token").stat().st_mode & 0o777 == 0o600
    assert "ok" in dtam.well("hosts", "test", "alpha")
    assert host.run("stat -c %a /var/lib/dtam/engine/key.pem /var/lib/dtam /var/lib/dtam/engine/logs").split() == [
        "600",
        "711",
        "700",
    ]
    assert host.run("readlink /proc/$(cat /var/lib/dtam/engine/lock)/root/opt/dtam/current").startswith("releases/")
    assert "/dtam-install." not in "\n".join(host.changed())

    # A captured directory is replicated to beta while a writer writes; the engine is renewed meanwhile.
    beta = engines.make("beta")
    host.run("mkdir -p /srv/data && echo old >/srv/data/old")
    token = (dtam.home / "tokens/alpha.token").read_text().strip()
    target = tmp_path / "replica"
    with EngineClient.https(host.address, ports["port"], fingerprint=fingerprint, token=token, timeout_s=60) as alpha:
        key = connected(alpha, beta, target)
        capture = host.run("pgrep -x dtcapture || pgrep -f dtcapture-").split()[0]
        writer = host.popen(f"python3 -c {quoted(WRITER)}")
        assert writer.stdout.readline() == "begun\n"
        dtam.tree = another_version(tmp_path)
        upgraded = dtam.well("hosts", "upgrade", "alpha", *way)
        assert {"unpack", "current", "engine"} <= words_of(upgraded, "done")
        assert not words_of(dtam.well("hosts", "upgrade", "alpha", *way), "done")
        count = int(writer.communicate("\n", timeout=60)[0])
        assert host.run("cat /var/lib/dtam/engine/lock") != pid
        assert host.run("pgrep -x dtcapture || pgrep -f dtcapture-").split()[0] == capture
        wait_for(lambda: in_step(alpha, key), 120, "a good replica")
        alpha.connection_action(key, "settle", timeout_s=120)
        assert (target / "journal").read_text() == "".join(f"{number}\n" for number in range(count))
        newest = {f"f{number % 50}": str(number) for number in range(count)}
        assert {one.name: one.read_text() for one in target.glob("f*")} == newest
        assert len(alpha.connections()) == 1
        assert alpha.connection(key).mirror_state != "Mirroring"

        # It is not taken away while it is used, nor while files under its capture are open.
        refused = dtam("hosts", "remove", "alpha", "--uninstall", "--yes", *way)
        assert "it replicates data" in refused.stderr
        alpha.disconnect(key)
    holder = host.popen("exec python3 -c \"f = open('/srv/data/old'); print('open', flush=True); input()\"")
    assert holder.stdout.readline() == "open\n"
    refused = dtam("hosts", "remove", "alpha", "--uninstall", "--yes", *way)
    assert refused.returncode == 9, refused.stdout
    assert "/srv/data" in refused.stderr
    holder.communicate("\n", timeout=60)
    assert host.run("dtengine server --json")

    # It goes, and only the data stays.
    planned = dtam.well("hosts", "remove", "alpha", "--uninstall", "--plan", *way)
    assert {"captures", "stop", "units", "login", "state", "programs"} <= words_of(planned, "would")
    assert host.run("dtengine server --json")
    dtam.well("hosts", "remove", "alpha", "--uninstall", "--yes", *way)
    assert leftovers(host.changed() - before) == set()
    assert host.run("cat /srv/data/journal").count("\n") == count
    assert not host.run("ps -eo args | grep -E 'dtengine|dtcapture' | grep -v grep || true")
    assert dtam.well("hosts", "list", "--json").strip() == "[]"
    assert not list((dtam.home / "tokens").iterdir())


def connected(alpha: EngineClient, beta: object, target: Path) -> str:
    with beta.local() as there:
        token = there.create_token("pairing", schema.Scope.ADMIN).token
        shown = there.server()
    alpha.pair(
        schema.PairRequest(
            address=beta.address, control_port=shown.control_port, fingerprint=shown.fingerprint, token=token
        )
    )
    mount = alpha.mount(schema.MountRequest(path="/srv/data", capture="fuse"))
    assert mount.capture == "fuse"
    alpha.create_replication_set(schema.ReplicationSet(name="data", root="/srv/data", rules=[schema.Rule()]))
    mapping = schema.Mapping(kind="custom", pairs=[schema.PathPair(source="/srv/data", target=str(target))])
    key = alpha.connect(schema.ConnectionRequest(replication_set="data", target="beta", mapping=mapping)).key
    wait_for(lambda: in_step(alpha, key), 60, "a good replica")
    return key


def in_step(alpha: EngineClient, key: str) -> bool:
    status = alpha.connection(key)
    return status.state == "Started" and status.target_data_state == "good"


def another_version(place: Path) -> Path:
    """The same program with one file more: another release."""
    tree = place / "later"
    for package in ("orchestrator", "plugins", "scripts"):
        shutil.copytree(CLONE / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "orchestrator" / "later.py").write_text('"""A later version."""\n')
    return tree


def leftovers(changed: set[str]) -> set[str]:
    """What neither the data nor another program's own notes explain: group files are rewritten by groupadd and groupdel."""
    allowed = ("./srv", "./etc/group", "./etc/gshadow", "./etc/.pwd.lock", "./tmp", "./var/log", "./root/.cache")
    folders = {"./opt", "./etc", "./etc/pam.d", "./etc/systemd", "./etc/systemd/system", "./etc/systemd/system/multi-user.target.wants",
               "./usr", "./usr/local", "./usr/local/bin", "./var", "./var/lib", "./var/cache", "./var/tmp", "./root"}  # fmt: skip
    return {one for one in changed if one not in folders and not one.startswith(allowed)}


def cut_off(host: SshHost) -> None:
    """An upload whose ssh dies in the middle of it."""
    words = Way(host.name, host.ssh_config).command(["sh", "-c", REMOTE, "dtam", "0" * 64, "install"])
    ssh = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert ssh.stdin is not None
    ssh.stdin.write(b"half of it")
    ssh.stdin.flush()
    wait_for(lambda: "dtam-install" in host.run("ls /var/tmp"), 60, "the upload")
    ssh.kill()
    ssh.communicate()


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def test_a_broken_release_gives_way_and_a_dead_way_is_one_line(
    needs: Callable[..., None], host: SshHost, dtam: Dtam, tmp_path: Path
) -> None:
    needs("root", "fuse", "sshd")
    port = free_port(host.address)
    way = ["--ssh", host.name, "--ssh-config", str(host.ssh_config)]
    listen = ["--listen", host.address, "--port", str(port), "--data-port", str(free_port(host.address))]
    install = ["hosts", "install", "alpha", "--address", host.address, *listen, "--yes"]

    nowhere = dtam(*install, "--ssh", "nobody@127.0.0.1.invalid")
    assert nowhere.returncode == 9
    assert nowhere.stderr.count("dtam: ") == 1
    assert "ssh -o BatchMode=yes" in nowhere.stderr

    cut_off(host)
    wait_for(lambda: "dtam-install" not in host.run("ls /var/tmp"), 60, "an upload that was cut off being cleared away")

    taken = dtam(*install[:-5], "--data-port", str(host.port), "--yes", *way)
    assert taken.returncode == 9, taken.stdout
    assert f"port {host.port}" in taken.stderr
    assert host.run("ls /opt") == "" or "dtam" not in host.run("ls /opt").split()

    first = json.loads(dtam.well(*install, *way, "--json"))
    dtam.tree = another_version(tmp_path)
    broken_file = dtam.tree / "orchestrator/engine/control/settings.py"
    broken_file.write_text(
        f"{broken_file.read_text()}\n\ndef read_settings(*_words: object) -> Settings:\n    raise SystemExit(3)\n"
    )
    broken = dtam("hosts", "upgrade", "alpha", *way)
    assert broken.returncode == 9, broken.stdout
    assert "runs again" in broken.stderr
    answers = json.loads(dtam.well("hosts", "test", "alpha", "--json"))
    assert answers[0]["ok"]
    assert answers[0]["fingerprint"] == first["fingerprint"]
    dtam.tree = CLONE
    dtam.well("hosts", "remove", "alpha", "--uninstall", "--yes", *way)
