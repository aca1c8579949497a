"""A field under a protection: a witness that leases the epoch to the source, and a target that takes over by itself."""

from __future__ import annotations

import errno
import os
import random
import signal
from pathlib import Path
from typing import Self

from orchestrator.engine.client import ProtectionState, schema
from orchestrator.engine.witness.identity import Clients
from tests.e2e.conftest import EngineProcess
from tests.faults.fire import diary
from tests.faults.fire.field import PATIENCE_S, Field, unless
from tests.faults.fire.postgres import USER, Postgres, programs
from tests.faults.fire.postgres_load import numbers_in
from tests.faults.fire.scenarios import a_moment, mirrors_asked
from tests.faults.fire.sqlite_load import prefix_of
from tests.faults.witness_process import WitnessProcess, eventually

LEASE_S = 6.0
SHOP = "shop"


def side(engine: EngineProcess) -> schema.EngineSide:
    """An engine as a protection names it."""
    with engine.local() as client:
        own = client.server()
    return schema.EngineSide(
        name=own.name, engine_id=own.engine_id, control_address=engine.address, fingerprint=own.fingerprint, **engine.ports
    )  # fmt: skip


class Protected:
    """The protection over a field: its witness, and PostgreSQL as the service that the target starts."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.witness = WitnessProcess(field.work)
        self.on_target = Postgres(field.target / "pg", field.work / "target-sockets")
        self._place(self.on_target.sockets)
        for engine in (field.alpha, field.beta):
            with engine.local() as client:
                own = client.server()
            Clients(self.witness.state).enrol(own.certificate_pem, name=own.name, holder=own.engine_id)
        for engine, role in ((field.alpha, "source"), (field.beta, "target")):
            with engine.local() as client:
                client.put_protection(self._document(role))
        eventually(lambda: not self.state(field.alpha).fence.held, "the source holding its lease", PATIENCE_S)

    @staticmethod
    def _place(sockets: Path) -> None:
        sockets.mkdir()
        sockets.chmod(0o777)

    def _document(self, role: str) -> schema.Protection:
        field = self.field
        return schema.Protection(
            id=SHOP,
            application="fileprint",
            role=role,
            epoch=1,
            source=side(field.alpha),
            target=side(field.beta),
            roots=[schema.Root(source_path=str(field.source), target_path=str(field.target))],
            replication_set="data",
            services=[self._service()] if role == "target" else [],
            witness=schema.Witness(
                address="127.0.0.1", port=self.witness.port, fingerprint=self.witness.fingerprint, lease_s=LEASE_S
            ),
            monitor=schema.Monitor(interval_s=0.2, missed=5, manual_intervention=False),
            failover=schema.FailoverSettings(post_script=None),
        )

    def _service(self) -> schema.Service:
        server = self.on_target
        ready = [str(programs() / "pg_isready"), "-q", "-h", str(server.sockets)]
        stop = [str(programs() / "pg_ctl"), "-D", str(server.data), "-m", "fast", "stop"]
        return schema.Service(
            name="postgresql",
            start_command=server.command(),
            stop_command=["runuser", "-u", USER, "--", *stop],
            health_command=ready,
            user=USER,
            start_timeout_s=PATIENCE_S,
        )

    @staticmethod
    def state(engine: EngineProcess) -> ProtectionState:
        with engine.local() as client:
            return client.protection_state(SHOP)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.witness.end()


def refused(place: Path) -> bool:
    """Whether a change below a captured directory is answered with "Read-only file system"."""
    try:
        (place / "a-write").touch()
    except OSError as error:
        return error.errno == errno.EROFS
    os.unlink(place / "a-write")
    return False


def witness_killed(protected: Protected, chance: random.Random) -> None:
    """The target's promise stands in for the lease. Silent as well, not one write gets through; the witness back, the same epoch opens."""
    field = protected.field
    before = mirrors_asked(field)
    a_moment(field, chance)
    protected.witness.kill()
    assert unless(lambda: not all(load.alive() for load in field.loads), 1.5 * LEASE_S), "the target had promised"
    assert field.beta.process is not None
    field.beta.process.send_signal(signal.SIGSTOP)
    try:
        _refused_and_opened_again(protected)
    finally:
        field.beta.process.send_signal(signal.SIGCONT)
    field.fire()
    a_moment(field, chance)
    field.prove_frozen_prefix()
    field.prove_identical()
    assert mirrors_asked(field) == before


def _refused_and_opened_again(protected: Protected) -> None:
    field = protected.field
    for load in field.loads:
        eventually(lambda load=load: not load.alive(), f"{load.name} being refused its writes", PATIENCE_S)
        load.kill()
    eventually(lambda: protected.state(field.alpha).fence.held, "the source fencing itself", PATIENCE_S)
    assert refused(field.source)
    end = diary.log_end(field.page)
    assert unless(lambda: not refused(field.source), 1.0)
    assert diary.log_end(field.page) == end
    protected.witness.start()
    eventually(lambda: not protected.state(field.alpha).fence.held, "the same epoch being confirmed", PATIENCE_S)


def source_lost(protected: Protected, chance: random.Random) -> None:
    """All of the source is gone at once. The target takes over; PostgreSQL and SQLite go on there with all that was acknowledged."""
    field = protected.field
    with field.beta.local() as client:
        client.protection_action(SHOP, "enable_monitor")
    eventually(lambda: protected.state(field.beta).monitor.colour == "green", "the source being watched", PATIENCE_S)
    a_moment(field, chance)
    field.cut_power()
    acknowledged = field.acknowledged()
    assert acknowledged[1] > 0
    if chance.random() < 0.5:
        eventually(lambda: protected.state(field.beta).phase != "idle", "a failover begun", PATIENCE_S)
        field.beta.kill()
        field.beta.start()
    eventually(lambda: protected.state(field.beta).phase == "done", "the failover by the target", PATIENCE_S)
    promoted = field.replica()
    assert (promoted.promoted, promoted.epoch) == (True, 2)
    wal, rollback, postgres, churn = (diary.owed(load.commits(), *acknowledged) for load in field.loads)
    assert prefix_of(field.target / "wal.db") >= wal
    assert prefix_of(field.target / "rollback.db") >= rollback
    assert field.loads[3].numbers(field.target) >= churn
    found = numbers_in(protected.on_target)
    assert found >= postgres
    protected.on_target.ask(f"insert into deed values ({found + 1}, 'after the failover')")
    assert numbers_in(protected.on_target) == found + 1
    with field.beta.local() as client:
        assert [mount.path for mount in client.mounts() if mount.state == "capturing"] == [str(field.target)]
    old_source_stays_fenced(protected, found + 1)


def old_source_stays_fenced(protected: Protected, on_target: int) -> None:
    """It boots, and takes no write, nor does anything of it reach the target."""
    field = protected.field
    field.alpha.start()
    eventually(
        lambda: field.mount().state == "capturing", "the old source's directory being captured again", PATIENCE_S
    )
    assert unless(lambda: not refused(field.source), LEASE_S)
    assert protected.state(field.alpha).fence.held
    assert field.replica().promoted
    assert numbers_in(protected.on_target) == on_target
