"""Two engines and a witness as real processes: the source dies, the target takes over by itself, the old source stays fenced, and back.

No client and no orchestrator takes part in the failover itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from orchestrator.engine.client import AnswerRefused, schema

HOLDS = "import sys,time; open(sys.argv[1]+'/held','a').write('held\\n'); time.sleep(600)"
POST = """#!/bin/bash
set -eu
input=$(cat)
run=$(printf '%s' "$input" | sed 's/.*"run_id": "\\([^"]*\\)".*/\\1/')
if [[ $input == *refresh-names* ]]; then
  [ ! -e "$DTENGINE_STATE/refuse" ] || exit 1
  echo again >>"$DTENGINE_STATE/refreshed"
  exit 0
fi
say() { printf '{"step": "services", "event": "%s"}\\n' "$1" >>"$RUNDIR/$run.post_failover.run"; }
say about-to
PYTHON -m orchestrator.engine.cli.dtengine services start files-web --state "$DTENGINE_STATE"
say done
"""


def gone(pid: int) -> bool:
    """Nobody runs under this id; what only waits to be reaped does not count."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


@dataclass
class Witness:
    """A witness process."""

    state: Path
    address: str = "127.0.0.5"
    port: int = 0
    fingerprint: str = ""
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "orchestrator.engine.cli.dtwitness", "run", "--state", str(self.state)]
        self.process = subprocess.Popen(
            [*command, "--address", self.address, "--port", str(self.port)], stdout=subprocess.PIPE, text=True
        )
        said = json.loads(self.process.stdout.readline())
        self.port, self.fingerprint = said["port"], said["fingerprint"]

    def enrol(self, certificate: Path, holder: str) -> None:
        command = [sys.executable, "-m", "orchestrator.engine.cli.dtwitness", "enrol", str(certificate)]
        subprocess.run([*command, "--state", str(self.state), "--holder", holder], check=True, capture_output=True)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture
def witness(tmp_path) -> Iterator[Witness]:
    made = Witness(tmp_path / "witness")
    made.start()
    yield made
    if made.process.poll() is None:
        made.stop()


def side(engine) -> schema.EngineSide:
    with engine.local() as client:
        own = client.server()
    return schema.EngineSide(
        name=own.name, engine_id=own.engine_id, control_address=engine.address, fingerprint=own.fingerprint, **engine.ports
    )  # fmt: skip


@dataclass
class Scene:
    """A protected service on alpha with its replica on beta."""

    alpha: object
    beta: object
    witness: Witness
    source: Path
    target: Path
    sides: tuple[schema.EngineSide, schema.EngineSide]
    until: object
    capture: str
    manual: bool = False
    lease_s: float = 5.0
    key: str = ""

    def document(self, role: str, epoch: int) -> schema.Protection:
        path = self.source if role == "source" else self.target
        service = schema.Service(name="files-web", start_command=[sys.executable, "-c", HOLDS, str(path)], grace_s=1)
        return schema.Protection(
            id="files",
            application="fileprint",
            role=role,
            epoch=epoch,
            source=self.sides[0],
            target=self.sides[1],
            roots=[schema.Root(source_path=str(self.source), target_path=str(self.target))],
            replication_set="data",
            services=[service],
            witness=schema.Witness(
                address=self.witness.address,
                port=self.witness.port,
                fingerprint=self.witness.fingerprint,
                lease_s=self.lease_s,
            ),
            monitor=schema.Monitor(interval_s=0.2, missed=5, manual_intervention=self.manual),
            failover=schema.FailoverSettings(refresh_names_s=1.0),
        )

    def connect(self, epoch: int) -> None:
        mapping = schema.Mapping(kind="custom", target_root=str(self.target))
        mirror = schema.MirrorOptions(kind="difference", checksum=True, orphans=schema.Orphans(action="delete"))
        with self.alpha.local() as client:
            status = client.connect(
                schema.ConnectionRequest(
                    replication_set="data",
                    target="beta",
                    mapping=mapping,
                    protection="files",
                    epoch=epoch,
                    mirror=mirror,
                )
            )
            self.key = status.key
            self.until(lambda: client.connection(self.key).target_data_state == "good", 90)

    def enable(self) -> None:
        with self.alpha.local() as alpha, self.beta.local() as beta:
            alpha.mount(schema.MountRequest(path=str(self.source), capture=self.capture))
            alpha.create_replication_set(schema.ReplicationSet(name="data", root=str(self.source)))
            alpha.put_protection(self.document("source", 1))
            beta.put_protection(self.document("target", 1))
            beta.put_script("files", "post_failover", POST.replace("PYTHON", sys.executable))
            self.until(lambda: not alpha.protection_state("files").fence.held, 90, "the source's lease")
            alpha.start_service("files-web")
            self.connect(1)
            beta.protection_action("files", "enable_monitor")
            self.until(lambda: beta.protection_state("files").monitor.colour == "green", 90)

    def cut_power(self) -> None:
        """Everything of the source at once: daemon, service, capture program."""
        with self.alpha.local() as client:
            pids = [service.pid for service in client.services() if service.pid]
            pids += [mount.pid for mount in client.mounts() if mount.capture == "fuse"]
        self.alpha.kill()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def state(self, engine):
        with engine.local() as client:
            return client.protection_state("files")


@pytest.fixture(params=["fuse", "watcher"])
def scene(request, engines, witness, tmp_path, needs, until) -> Iterator[Scene]:  # noqa: PLR0917  # fixtures
    if request.param == "fuse":
        needs("fuse")
    alpha, beta = engines.make("alpha"), engines.make("beta", "127.0.0.3")
    engines.pair(alpha, beta)
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "a").write_text("before")
    sides = (side(alpha), side(beta))
    for engine, own in zip((alpha, beta), sides, strict=True):
        witness.enrol(engine.state / "certificate.pem", own.engine_id)
    yield Scene(alpha, beta, witness, source, target, sides, until, request.param)
    for engine in (alpha, beta):
        if engine.process.poll() is not None:
            engine.start()
        with engine.local() as client:
            for service in client.services():
                client.stop_service(service.name)
            client.delete_protection("files")


@pytest.mark.covers("ENG-FO-01", "ENG-FO-05", "ENG-FO-09", "ENG-RST-02")
def test_source_dies_target_takes_over_old_source_stays_fenced_and_back(scene):
    scene.enable()
    (scene.source / "written-last").write_text("acknowledged")
    with scene.alpha.local() as client:
        client.connection_action(scene.key, "settle")
    died_s = time.monotonic()
    scene.cut_power()
    scene.until(lambda: scene.state(scene.beta).phase == "done", 90, "the failover")
    took_s = time.monotonic() - died_s
    assert took_s < 60
    state = scene.state(scene.beta)
    assert (state.epoch, state.fence.held) == (2, False)
    assert state.finished_ns > state.detected_ns
    assert (scene.target / "written-last").read_text() == "acknowledged"
    with scene.beta.local() as client:
        assert client.service("files-web").state == "running"
        assert client.replicas()[0].promoted
        assert [mount.path for mount in client.mounts()] == [str(scene.target)]
    _registers_the_names_again(scene)
    _comes_back_fenced(scene)
    _fail_back(scene)


def _registers_the_names_again(scene: Scene) -> None:
    """Again and again, never two at once, also after the daemon was killed; a failure is told, and passes."""
    register = scene.beta.state / "refreshed"
    scene.until(register.exists, 90, "names registered again")
    assert "registered again" not in scene.state(scene.beta).says
    (scene.beta.state / "refuse").touch()
    scene.until(lambda: "could not be registered again" in scene.state(scene.beta).says, 90, "the failure is told")
    (scene.beta.state / "refuse").unlink()
    scene.beta.kill()
    register.unlink()
    scene.beta.start()
    scene.until(register.exists, 90, "names registered again")
    with scene.beta.local() as client:
        assert any("could not be registered again" in event.sentence for event in client.events(0))
        scene.until(lambda: any("were registered again" in one.sentence for one in client.events(0)), 90)
        assert client.service("files-web").state == "running"


def _comes_back_fenced(scene: Scene) -> None:
    scene.alpha.start()
    scene.until(lambda: "epoch 2" in scene.state(scene.alpha).fence.reason, 90, "the refusal of the old epoch")
    with scene.alpha.local() as client:
        with pytest.raises(AnswerRefused, match="fence"):
            client.start_service("files-web")
        assert client.service("files-web").state == "stopped" or not client.service("files-web").pid
        scene.until(lambda: client.connection(scene.key).target_data_state == "restore_required", 90)
        if scene.capture == "fuse":
            with pytest.raises(OSError, match="Read-only"):
                (scene.source / "never").write_text("x")


def _fail_back(scene: Scene) -> None:
    """What an orchestrator tells the engines: restore, stop, settle, release, take the epoch, protect again."""
    (scene.target / "a").write_text("changed after the failover")
    with scene.alpha.local() as alpha, scene.beta.local() as beta:
        alpha.disconnect(scene.key)
        alpha.unmount(str(scene.source))
        beta.create_replication_set(schema.ReplicationSet(name="data", root=str(scene.target)))
        back = beta.connect(
            schema.ConnectionRequest(
                replication_set="data",
                target="alpha",
                mapping=schema.Mapping(kind="custom", target_root=str(scene.source)),
                purpose="restore",
                protection="files",
                epoch=2,
                mirror=schema.MirrorOptions(kind="difference", checksum=True, orphans=schema.Orphans(action="delete")),
            )
        )
        scene.until(lambda: beta.connection(back.key).target_data_state == "good", 90)
        beta.protection_action("files", "disable_monitor")
        beta.protection_action("files", "fence", reason="failback")
        beta.connection_action(back.key, "settle")
        beta.protection_action("files", "release", epoch=2)
        beta.disconnect(back.key)
        assert (scene.source / "a").read_text() == "changed after the failover"
        alpha.mount(schema.MountRequest(path=str(scene.source), capture=scene.capture))
        taken = alpha.protection_action("files", "set_epoch", epoch=3, by="ann")
        assert taken.epoch == 3
        scene.until(lambda: not alpha.protection_state("files").fence.held, 90, "the source's new lease")
        scene.until(lambda: alpha.service("files-web").state == "running", 90, "the service at home")
        beta.put_protection(scene.document("target", 3))
        beta.protection_action("files", "unfence")
        assert beta.protection_state("files").fence.held
        (replica,) = [one for one in beta.replicas() if one.promoted]
        beta.replica_action(replica.key, "demote", epoch=3)
        scene.connect(3)
        (scene.source / "protected-again").write_text("yes")
        alpha.connection_action(scene.key, "settle")
        assert (scene.target / "protected-again").read_text() == "yes"
        assert beta.protection_state("files").phase == "idle"


@pytest.mark.covers("AM-27")
def test_the_epoch_that_the_source_serves_is_not_taken_by_the_target(scene):
    scene.enable()
    with scene.beta.local() as beta, pytest.raises(AnswerRefused, match="taking epoch 1 of files"):
        beta.protection_action("files", "set_epoch", epoch=1, by="ann")
    with scene.beta.local() as beta:
        assert beta.protection_state("files").fence.held
        assert beta.service("files-web").state != "running"


@pytest.mark.covers("ENG-FO-03")
def test_manual_intervention_waits_for_a_person(scene):
    scene.manual = True
    scene.enable()
    scene.cut_power()
    scene.until(lambda: scene.state(scene.beta).waiting_for_person, 90, "the prompt")
    with scene.beta.local() as client:
        assert client.service("files-web").state == "stopped"
        client.protection_action("files", "continue_failover", by="ann")
        scene.until(lambda: client.protection_state("files").phase == "done", 90, "the failover")
        assert client.service("files-web").state == "running"


@pytest.mark.covers("ENG-FO-09")
def test_a_source_that_loses_witness_and_target_fences_itself_and_opens_again(scene):
    scene.enable()
    with scene.alpha.local() as client:
        pid = client.service("files-web").pid
        scene.witness.stop()
        scene.beta.kill()
        scene.until(lambda: client.protection_state("files").fence.held, 90, "the fence")
        assert gone(pid)
        scene.witness.start()
        scene.until(lambda: not client.protection_state("files").fence.held, 90, "the lease")
        scene.until(lambda: client.service("files-web").state == "running", 90, "the service")


def test_a_restarted_source_daemon_keeps_its_service_running(scene):
    scene.lease_s = 30.0
    scene.enable()
    with scene.alpha.local() as client:
        pid = client.service("files-web").pid
    scene.alpha.kill()
    scene.alpha.start()
    with scene.alpha.local() as client:
        scene.until(lambda: not client.protection_state("files").fence.held, 90)
        assert (client.service("files-web").state, client.service("files-web").pid) == ("running", pid)


def test_a_target_killed_in_the_middle_of_its_failover_goes_on(scene):
    scene.enable()
    scene.cut_power()
    with scene.beta.local() as client:
        scene.until(lambda: client.protection_state("files").phase not in {"idle", "waiting"}, 90)
    scene.beta.kill()
    scene.beta.start()
    scene.until(lambda: scene.state(scene.beta).phase == "done", 90, "the failover")
    with scene.beta.local() as client:
        assert client.service("files-web").state == "running"
