"""A host reached over its engine's control API: the ``Host`` port on Linux.

The engine is the agent: it answers facts, runs services and scripts, and holds the protection's document. What it refuses comes
back with its own sentence, as a ``DtamError``. An engine that does not answer may come back: that is ``TryAgain``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError

from orchestrator.engine.client import (
    EngineClient,
    RunStatus,
    ServiceStatus,
    schema,
)
from orchestrator.hosts.errors import NotOnThisPlatform
from orchestrator.hosts.run_lines import outcomes, steps
from orchestrator.model.documents import document_checksum
from orchestrator.model.host import HostFacts, ProtectionView, ScriptRun
from orchestrator.model.inventory import EngineFacts, PathFacts, ServiceFacts
from orchestrator.model.outcomes import GiveUp
from orchestrator.model.shares import Samba
from orchestrator.model.windows import USUAL, Windows, WindowsAsk
from orchestrator.patience import absent_is_fine, patience


class AgentHost:
    """The ``Host`` port over an ``EngineClient``. ``now`` gives seconds since the epoch, for the offset of the host's clock."""

    def __init__(self, name: str, engine: EngineClient, now: Callable[[], float] = time.time) -> None:
        self._name = name
        self._engine = engine
        self._now = now

    @property
    def name(self) -> str:
        """The server's short name."""
        return self._name

    def engine(self) -> EngineFacts:
        """Who its engine is; the clock's offset is taken in the middle of the question."""
        with patience():
            asked_s = self._now()
            server = self._engine.server()
            answered_s = self._now()
            peers = self._engine.peers()
        return EngineFacts(
            name=server.name,
            engine_id=server.engine_id,
            version=server.version,
            fingerprint=server.fingerprint,
            addresses=tuple(server.addresses),
            control_port=server.control_port,
            data_port=server.data_port,
            probe_port=server.probe_port,
            capture=server.capture,
            capture_says=server.capture_says,
            boot_id=server.boot_id,
            clock_offset_s=server.time_ns / 1e9 - (asked_s + answered_s) / 2,
            peers=tuple(peer.name for peer in peers),
        )

    def facts(self, paths: Sequence[str] = ()) -> HostFacts:
        """What the host says about itself and about ``paths``, in the order asked."""
        with patience():
            facts = self._engine.facts(paths)
        return HostFacts(
            hostname=facts.hostname,
            addresses=tuple((entry.address, entry.interface) for entry in facts.addresses),
            paths=tuple(
                PathFacts(path=path, **facts.paths[path].model_dump()) for path in paths if path in facts.paths
            ),
            listening=tuple(facts.listening),
        )

    def samba(self, conf: str, keytabs: Sequence[str] = (), sids: Sequence[str] = ()) -> Samba:
        """Its shares, its place in a domain, its hosts file, networks and keytabs."""
        with patience():
            return msgspec.convert(self._engine.samba(conf, keytabs, sids).model_dump(mode="json"), Samba)

    def windows(self, ask: WindowsAsk = USUAL) -> Windows:
        """There is none: this host runs Linux.

        Raises:
            NotOnThisPlatform: always.
        """
        raise NotOnThisPlatform(
            what=f"Windows facts ({len(ask.services)} services)", server=self._name, platform="Linux"
        )

    def call(self, script: str, arguments: Mapping[str, Any], *, deed: bool = True) -> tuple[Mapping[str, Any], ...]:  # noqa: ARG002
        """There are none: those scripts lie on Windows hosts.

        Raises:
            NotOnThisPlatform: always.
        """
        raise NotOnThisPlatform(what=f"the script {script}", server=self._name, platform="Linux")

    def make_directory(self, path: str, mode: int = 0o755) -> None:
        """A directory with its parents; one that exists is left as it is."""
        with patience():
            self._engine.make_directory(path, mode)

    def remove_directory(self, path: str) -> None:
        """An empty directory goes; one that is not empty, or not there, is left as it is."""
        with patience():
            self._engine.remove_directory(path)

    def own_keytab(self, path: str, owner: int, mode: int) -> None:
        """A keytab has this owner and these permission bits; anything but a keytab is refused."""
        with patience():
            self._engine.own_keytab(path, owner, mode)

    def services(self, wanted: Sequence[Mapping[str, Any]] = ()) -> tuple[ServiceFacts, ...]:
        """The protected services with their health, then what can be seen of ``wanted`` ones that are not managed yet."""
        with patience():
            managed = [self._engine.service(entry.name) for entry in self._engine.services()]
            names = {entry.name for entry in managed}
            strange = [_document(service) for service in wanted if service["name"] not in names]
            seen = self._engine.look_at_services(strange) if strange else []
        return (*(_facts(one, managed=True) for one in managed), *(_facts(one, managed=False) for one in seen))

    def start_service(self, name: str) -> None:
        """Start a service and wait until it is healthy; refused while the fence holds."""
        with patience():
            self._engine.start_service(name)

    def stop_service(self, name: str, service: Mapping[str, Any] | None = None) -> None:
        """Stop a service; ``service`` is its document where the host does not manage it yet."""
        with patience():
            known = {entry.name for entry in self._engine.services()}
            if name in known or service is None:
                self._engine.stop_service(name)
            else:
                self._engine.stop_strange_service(_document(service))

    def set_start_type(self, service: Mapping[str, Any], start_type: str) -> None:
        """``manual`` or ``automatic``, for services of the system's own manager; commands never start by themselves."""
        with patience():
            if service.get("unit"):
                self._engine.set_start_type(_document(service), start_type)

    def protection(self, protection: str) -> ProtectionView | None:
        """How this engine sees a protection; None when it has no part in it."""
        with patience():
            held = self._held(protection)
            state = self._engine.protection_state(protection) if held else None
        if held is None or state is None:
            return None
        return ProtectionView(
            id=state.id,
            role=state.role,
            epoch=state.epoch,
            fenced=state.fence.held,
            monitor=state.monitor.enabled,
            phase=state.phase,
            says=state.says,
            document_sha256=document_checksum(_plain(held)),
            run_id=state.run_id,
            waiting_for_person=state.waiting_for_person,
            lease_remaining_s=state.lease_remaining_s,
            detected_ns=state.detected_ns,
            finished_ns=state.finished_ns,
        )

    def protections(self) -> tuple[tuple[str, str], ...]:
        """(id, role) of every protection that this engine has a part in."""
        with patience():
            return tuple((document.id, document.role) for document in self._engine.protections())

    def put_protection(self, document: Mapping[str, Any]) -> None:
        """Give the engine its document; one with an older epoch is refused."""
        with patience():
            self._engine.put_protection(_checked(schema.Protection, document))

    def protection_document(self, protection: str) -> Mapping[str, Any] | None:
        """The document as it was given, or None."""
        with patience():
            held = self._held(protection)
        return _plain(held) if held else None

    def remove_protection(self, protection: str) -> None:
        """The engine has no part in it any more; none before is fine."""
        with patience(), absent_is_fine():
            self._engine.delete_protection(protection)

    def act(self, protection: str, action: str, settings: Mapping[str, Any]) -> None:
        """An action of the control API, with its further fields."""
        with patience():
            self._engine.protection_action(protection, action, **settings)

    def deliver_script(self, protection: str, name: str, text: str) -> None:
        """Deliver a script; its hash is checked on the host."""
        with patience():
            self._engine.put_script(protection, name, text)

    def script_text(self, protection: str, name: str) -> str | None:
        """The delivered text with people's part, or None."""
        with patience(), absent_is_fine():
            return self._engine.script(protection, name).text
        return None

    def changed_scripts(self, protection: str) -> tuple[str, ...]:
        """The delivered scripts that were changed on their host since."""
        with patience(), absent_is_fine():
            return tuple(one.name for one in self._engine.scripts(protection) if one.changed)
        return ()

    def run_script(
        self, protection: str, name: str, run_id: str, segments: Sequence[str], *, undo: bool, epoch: int
    ) -> None:
        """Start (or go on with) a run of these segments; ask with ``script_run``."""
        request = schema.RunRequest(run_id=run_id, segments=list(segments), undo=undo, epoch=epoch)
        with patience():
            self._engine.run_script(protection, name, request)

    def script_run(self, run_id: str, name: str) -> ScriptRun | None:
        """How a run stands, or None when this host does not know it."""
        with patience(), absent_is_fine():
            return _run(self._engine.run(f"{run_id}.{name}"))
        return None

    def _held(self, protection: str) -> schema.Protection | None:
        return next((each for each in self._engine.protections() if each.id == protection), None)


def _checked(shape: type[BaseModel], document: Mapping[str, Any]) -> Any:
    try:
        return shape.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise GiveUp(f"the engine would not take {shape.__name__.lower()} {place}: {first['msg']}") from error


def _document(service: Mapping[str, Any]) -> schema.Service:
    checked: schema.Service = _checked(schema.Service, service)
    return checked


def _plain(document: schema.Protection) -> dict[str, Any]:
    return document.model_dump(mode="json")


def _facts(status: ServiceStatus, *, managed: bool) -> ServiceFacts:
    return ServiceFacts(
        name=status.name,
        state=status.state,
        healthy=status.healthy,
        fenced=status.fenced,
        managed=managed,
        start_type=status.start_type,
        says=status.says,
    )


def _run(status: RunStatus) -> ScriptRun:
    sentences = [str(line["says"]) for line in status.lines if line.get("says")]
    last_words = status.output.strip().splitlines()[-1:] if status.state == "failed" else []
    return ScriptRun(
        run_id=status.run_id,
        state=status.state,
        steps=steps(status.lines),
        says=" | ".join([*sentences[-1:], *last_words]),
        outcomes=outcomes(status.lines),
        ended_at_s=status.finished_ns / 1e9 if status.finished_ns is not None else None,
    )
