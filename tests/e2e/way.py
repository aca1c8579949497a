"""A way between two engines through a proxy on other ports, as through an address translation; it can be cut and mended."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.engine.client import ConnectionStatus, schema
from tests.e2e.conftest import EngineProcess, wait_for
from tests.e2e.test_engine_pair import tree
from tests.faults.transfer_pair import Proxy

MIB = 1 << 20


class Way(Proxy):
    """Forwards a port of its own to an engine's data port."""

    def __init__(self, engine: EngineProcess) -> None:
        super().__init__(engine.ports["data_port"], engine.address)

    def shut(self) -> None:
        """Nothing passes any more."""
        self.refusing = True
        self.cut()

    def mend(self) -> None:
        """Everything passes again."""
        self.refusing = False


@dataclass
class Joined:
    """A captured directory of one engine, connected to a place at another, through a proxy."""

    alpha: EngineProcess
    beta: EngineProcess
    source: Path
    target: Path
    way: Way | None
    name: str = field(default_factory=lambda: f"set-{uuid.uuid4().hex[:6]}")
    key: str = ""

    def capture(self, **limits: object) -> None:
        self.source.mkdir(parents=True, exist_ok=True)
        with self.alpha.local() as alpha:
            alpha.mount(schema.MountRequest(path=str(self.source), **limits))
            alpha.create_replication_set(schema.ReplicationSet(name=self.name, root=str(self.source)))

    def connect(self, **options: object) -> ConnectionStatus:
        if self.way is not None:
            options.setdefault("route", schema.Route(address="127.0.0.1", port=self.way.port))
        request = schema.ConnectionRequest(
            replication_set=self.name,
            target=self.beta.name,
            mapping=schema.Mapping(kind="custom", target_root=str(self.target)),
            **options,
        )
        with self.alpha.local() as alpha:
            status = alpha.connect(request)
        self.key = status.key
        return status

    def status(self) -> ConnectionStatus:
        with self.alpha.local() as alpha:
            return alpha.connection(self.key)

    def act(self, action: str, **settings: object) -> ConnectionStatus:
        with self.alpha.local(timeout_s=90) as alpha:
            return alpha.connection_action(self.key, action, **settings)

    def good(self) -> bool:
        status = self.status()
        return status.state == "Started" and status.target_data_state == "good"

    def settled(self) -> None:
        wait_for(self.good, 90, f"a good replica ({self.status()})")
        self.act("settle", timeout_s=80)

    def assert_identical(self) -> None:
        self.settled()
        assert tree(self.target) == tree(self.source)

    def mirrors(self) -> list[str]:
        """The kinds of the mirrors that were completed."""
        with self.alpha.local() as alpha:
            told = [event for event in alpha.events() if event.kind == "mirror" and event.facts.get("key") == self.key]
        return [event.sentence.split()[1] for event in told if event.facts["complete"]]

    def end(self) -> None:
        with self.alpha.local(timeout_s=60) as alpha:
            if self.key:
                alpha.disconnect(self.key)
            alpha.delete_replication_set(self.name)
            alpha.unmount(str(self.source))
        if self.way is not None:
            self.way.close()
