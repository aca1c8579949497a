"""The composition root of ``dtengine run``: puts the rooms together, opens the doors, and takes all down in order.

One asyncio thread serves the control API and answers probes; everything that may wait (files, subprocesses, data connections)
runs in threads. What must survive is on disk before an answer leaves, so that a kill at any point costs nothing but the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from fastapi import APIRouter

from orchestrator.engine.capture.mount import CapturePlaces
from orchestrator.engine.control import accounts, api, hostfacts, listening, routes_data, routes_host
from orchestrator.engine.control.backup_sets import BackupSets
from orchestrator.engine.control.captures import best_kind, start_capture
from orchestrator.engine.control.connections import Connections
from orchestrator.engine.control.desk import VerifyLogs
from orchestrator.engine.control.devices import Devices
from orchestrator.engine.control.documents import Documents
from orchestrator.engine.control.edges import Capture, CaptureKind
from orchestrator.engine.control.errors import PortInUse
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.guard import Rooms
from orchestrator.engine.control.identity import Identity, ensure_identity
from orchestrator.engine.control.itself import Itself
from orchestrator.engine.control.keeping import Keeping
from orchestrator.engine.control.layout import Layout
from orchestrator.engine.control.lines import Lines
from orchestrator.engine.control.links import Links
from orchestrator.engine.control.logins import Logins, SystemChecks
from orchestrator.engine.control.mounts import Mounts
from orchestrator.engine.control.negotiate import channel_binding
from orchestrator.engine.control.peers import Peers
from orchestrator.engine.control.preparing import prepare_routes
from orchestrator.engine.control.protections import Protections
from orchestrator.engine.control.queues import QueueWatch
from orchestrator.engine.control.readiness import tell_ready
from orchestrator.engine.control.releasing import Releases
from orchestrator.engine.control.replicas import Replicas
from orchestrator.engine.control.routes_protect import protection_routes
from orchestrator.engine.control.routes_snapshots import snapshot_routes
from orchestrator.engine.control.routes_verify import verify_routes
from orchestrator.engine.control.runs import Runs
from orchestrator.engine.control.schema import MountRequest, ProtectionAction, ProtectionActionKind
from orchestrator.engine.control.schema_snapshots import SnapshotSettings
from orchestrator.engine.control.scripts import Scripts
from orchestrator.engine.control.services import Services
from orchestrator.engine.control.sets import ReplicationSets
from orchestrator.engine.control.settings import Settings
from orchestrator.engine.control.snapshot_desk import Periodic, SnapshotDesk
from orchestrator.engine.control.snapshots import Snapshots
from orchestrator.engine.control.system_log import SystemLog
from orchestrator.engine.control.verifying import Verifying
from orchestrator.engine.monitor.probes import ProbeResponder
from orchestrator.engine.transfer import tls
from orchestrator.engine.transfer.listening import TargetListener
from orchestrator.engine.transfer.messages import Answer, Question
from orchestrator.engine.transfer.target import answers_nothing
from orchestrator.engine.witness.book import Book
from orchestrator.engine.witness.store import DirectoryShelf, Store
from orchestrator.errors import DtamError
from orchestrator.structs import know_structs

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Doors:
    """The listening sockets of the control API."""

    remote: socket.socket
    local: socket.socket


@contextlib.contextmanager
def open_doors(settings: Settings, layout: Layout) -> Iterator[Doors]:
    """Listen before anything else happens, so that a taken port costs nothing."""
    remote = listening.tcp_socket(settings.address, settings.control_port, "control-port")
    try:
        local = listening.unix_socket(layout.socket)
    except BaseException:
        remote.close()
        raise
    try:
        yield Doors(remote, local)
    finally:
        remote.close()
        local.close()
        layout.socket.unlink(missing_ok=True)


class Engine:
    """Everything that runs in one daemon."""

    def __init__(self, settings: Settings, layout: Layout, identity: Identity) -> None:
        self.settings = settings
        self.identity = identity
        self.layout = layout
        self.events = Events(layout.root / "events.jsonl", warn=SystemLog(Path(settings.system_log)).warn)
        self.tokens = accounts.Tokens(layout.root / "tokens.json")
        kind, says = best_kind()
        self.itself = Itself(identity, settings, version("dtam"), kind, says)
        self.peers = Peers(layout.peers, identity.engine_id)
        self.peers.itself = self.itself.as_peer("127.0.0.1")
        self.documents = Documents(layout.protections, identity.engine_id)
        self.scripts = Scripts(layout.protections)
        self.runs = Runs(layout, self.scripts, self._fence_reason)
        self.services = Services(layout.services, self._fence_reason)
        self.sets = ReplicationSets(layout.sets)
        memory = Path(settings.memory_directory) / identity.engine_id
        self.mounts = Mounts(layout, memory, self._start_capture, self.events, kind)
        self.devices = Devices(layout, self.events, self.mounts.covering)
        self.snapshots = Snapshots(layout.root / "snapshots", self.events, self._snapshots_said)
        keeping = Keeping(layout.root / "set-aside")
        self.replicas = Replicas(
            layout,
            self.events,
            self.mounts,
            keeping,
            self._epoch_of,
            snapshots=self.snapshots,
            queue=settings.queue.limits(),
            retry_limit=settings.retry_limit,
        )
        self.periodic = Periodic(self.snapshots, self.replicas.all)
        self.replicas.unwatched = self._unwatched
        self.backup_sets = BackupSets(self.sets, self.events)
        self.replicas.introduced = self.backup_sets.heard
        self.releases = Releases(self.mounts)
        self.queue_watch = QueueWatch(self.mounts, lambda sentence: self.events.alert("queue", sentence))
        self.lines = Lines(layout.lines, self.events)
        self.links = Links(
            identity,
            self.peers,
            self.mounts,
            self.events,
            self.releases,
            self.lines,
            VerifyLogs(layout.root / "verify", settings.verify),
        )
        self.connections = Connections(
            layout.connections,
            settings.name,
            peers=self.peers,
            sets=self.sets,
            mounts=self.mounts,
            events=self.events,
            lines=self.lines,
            auto_reconnect=settings.auto_reconnect,
            make_link=self.links.make,
        )
        self.verifying = Verifying(layout.root / "verify-schedules", self.connections)
        self.mounts.in_use = self.connections.uses_root
        self.mounts.left_alone = self.replicas.left_alone
        self.sets.in_use = self.connections.uses_set
        self.connections.restored = self.replicas.restored
        self.promises = Book(Store(DirectoryShelf(layout.promises)))
        self.protections: Protections | None = None
        self._listener: TargetListener | None = None

    # -- what the rooms ask of each other

    def _fence_reason(self, protection: str) -> str | None:
        if self.protections is None:
            return "the engine is just starting"
        return self.protections.fence_reason(protection)

    def _epoch_of(self, protection: str) -> int:
        return next((held.epoch for held in self.documents.listed() if held.id == protection), 0)

    def _snapshots_said(self, protection: str) -> SnapshotSettings | None:
        return next((held.snapshots for held in self.documents.listed() if held.id == protection), None)

    def _start_capture(self, request: MountRequest, kind: CaptureKind, places: CapturePlaces) -> Capture:
        return start_capture(request, kind, places, self._capture_lost)

    def _capture_lost(self, path: str, resumable: bool, why: str) -> None:  # noqa: FBT001  # called by position
        self.events.tell("capture", f"{path}: {why}", resumable=resumable)
        self.devices.start()
        self.connections.capture_ended(path, resumable=resumable, why=why)

    def _rooms(self) -> Rooms:
        return Rooms(
            identity=self.identity,
            layout=self.layout,
            boot_id=hostfacts.boot_id(),
            events=self.events,
            documents=self.documents,
            services=self.services,
            scripts=self.scripts,
            runs=self.runs,
            mounts=self.mounts,
            connections=self.connections,
            replicas=self.replicas,
            peers=self.peers,
            promises=self.promises,
        )

    def _unwatched(self, protection: str) -> None:
        """The source was disconnected, and somebody said there that it need not be watched."""
        known = any(held.id == protection and held.role == "target" for held in self.documents.listed())
        if self.protections is None or not known:
            return
        action = ProtectionAction(action=ProtectionActionKind.DISABLE_MONITOR, by="whoever disconnected the source")
        try:
            self.protections.act(protection, action)
        except DtamError as error:
            self.events.tell("protection", f"{protection} goes on being watched: {error}")

    def _answer(self, peer: tls.Peer, question: Question) -> Answer:
        return answers_nothing(peer, question) if self.protections is None else self.protections.answer(peer, question)

    def routers(self, protections: Protections) -> list[APIRouter]:
        """All routes."""
        return [
            routes_host.server_routes(self.itself, self.events, self.tokens),
            routes_host.log_routes(self.layout.root),
            routes_host.peer_routes(self.peers, self.itself, self.events),
            routes_host.service_routes(self.services, self.events),
            routes_host.script_routes(self.scripts, self.runs, self.documents, self.events),
            routes_data.mount_routes(self.mounts),
            routes_data.device_routes(self.devices),
            routes_data.set_routes(self.sets, self.events),
            routes_data.connection_routes(self.connections),
            verify_routes(self.verifying),
            routes_data.line_routes(self.lines),
            routes_data.replica_routes(self.replicas, self.backup_sets),
            snapshot_routes(SnapshotDesk(self.snapshots, self.replicas)),
            protection_routes(protections, self.documents),
            prepare_routes(self.events, self.itself.identity),
        ]

    # -- life

    async def serve(self, doors: Doors) -> None:
        """Answer until a signal says stop, then stop in order."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        probe = await self._start_probe()
        try:
            self._listener = self._listen_for_data()
            self.replicas.heard_s = self._listener.heard_s
            self.protections = Protections(self._rooms(), loop)
            await asyncio.to_thread(self._start, self.protections)
            await self._serve_until(stop, doors, self.protections)
        finally:
            probe.close()
            await asyncio.to_thread(self._stop)

    def _start(self, protections: Protections) -> None:
        """Captures first, so that nothing changes unseen; then what receives, what sends, and who decides."""
        self.mounts.start(hostfacts.boot_id())
        self.devices.start()
        tell_ready(self.mounts.in_a_sentence())
        self.replicas.start()
        if self._listener is not None:
            self._listener.start()
        self.connections.start()
        self.verifying.start()
        self.releases.start()
        self.queue_watch.start()
        self.periodic.start()
        protections.start()

    def _stop(self) -> None:
        """In the opposite order. Services and captures go on; sessions end at an acknowledged place."""
        if self.protections is not None:
            self.protections.let_go()
        self.periodic.stop()
        self.verifying.stop()
        self.releases.stop()
        self.queue_watch.stop()
        self.connections.stop()
        if self._listener is not None:
            self._listener.stop()
        self.replicas.stop()
        self.mounts.let_go()
        self.events.tell("stopped", f"engine {self.settings.name} stopped in order")
        self.events.close()

    def _listen_for_data(self) -> TargetListener:
        address, port = self.settings.address, self.settings.data_port
        own = tls.Identity(self.identity.certificate_file, self.identity.key_file)
        try:
            return TargetListener(
                own,
                self._trusted,
                self.replicas,
                address=address,
                port=port,
                left=self.replicas.left,
                answers=self._answer,
            )
        except OSError as error:
            raise in_use("TCP", address, port, error, "data-port") from error

    def _trusted(self) -> list[tls.Peer]:
        known = [*self.peers.listed(), self.itself.as_peer("127.0.0.1")]
        return [tls.Peer(peer.name, peer.certificate_pem) for peer in known]

    async def _start_probe(self) -> ProbeResponder:
        responder = ProbeResponder(bytes.fromhex(self.identity.engine_id))
        address, port = self.settings.address, self.settings.probe_port
        try:
            await responder.start(address, port)
        except OSError as error:
            raise in_use("UDP", address, port, error, "probe-port") from error
        return responder

    async def _serve_until(self, stop: asyncio.Event, doors: Doors, protections: Protections) -> None:
        binding = channel_binding(self.identity.certificate_file.read_bytes())
        logins = Logins(self.tokens, SystemChecks(binding))
        app = api.make_app(self.routers(protections), logins, self.events, self.itself.version)
        remote = listening.tls_server(app, self.identity.certificate_file, self.identity.key_file)
        local = listening.local_server(app)
        serving = [
            asyncio.create_task(remote.serve(sockets=[doors.remote])),
            asyncio.create_task(local.serve(sockets=[doors.local])),
        ]
        self.events.tell(
            "started", f"engine {self.settings.name} started", pid=os.getpid(), capture=self.itself.capture
        )
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([stopping, *serving], return_when=asyncio.FIRST_COMPLETED)
        remote.should_exit = local.should_exit = True
        stopping.cancel()
        await asyncio.gather(*serving)


def in_use(protocol: str, address: str, port: int, error: OSError, option: str) -> PortInUse:
    """The error of a port that cannot be had."""
    why = os.strerror(error.errno) if error.errno else str(error)
    return PortInUse(protocol=protocol, address=address, port=port, why=why, option=option)


def run(settings: Settings) -> None:
    """Run a daemon until SIGTERM or SIGINT.

    Raises:
        DtamError: it cannot start; nothing was changed but what a first start makes.
    """
    os.umask(0o077)
    know_structs()
    layout = Layout(Path(settings.state))
    layout.make()
    lock = layout.lock()
    try:
        identity = ensure_identity(layout, settings.name)
        with open_doors(settings, layout) as doors:
            engine = Engine(settings, layout, identity)
            asyncio.run(engine.serve(doors))
    finally:
        os.close(lock)
