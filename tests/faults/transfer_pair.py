"""Two engines in one process for tests: a log written as the capture program would, real TLS on loopback, a real target."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from orchestrator.engine.apply.house import ReplicaHouse
from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.apply.works import ReplicaSettings
from orchestrator.engine.capture.state import StatePage
from orchestrator.engine.oplog.format import Kind, Operation
from orchestrator.engine.oplog.reader import LogReader
from orchestrator.engine.oplog.writer import LogWriter
from orchestrator.engine.transfer.listening import TargetListener
from orchestrator.engine.transfer.ports import LogAccess, MirrorJob, Route, SourceHooks
from orchestrator.engine.transfer.protocol import Terms
from orchestrator.engine.transfer.source import SourceConnection
from orchestrator.engine.transfer.tls import Identity, Peer


def until(condition: Callable[[], bool], timeout_s: float = 20.0, what: str = "") -> None:
    """Wait for a condition."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise AssertionError(what or "the condition did not come to be")
        time.sleep(0.005)


class EmptyMirror:
    """A mirror of an empty directory: it is finished at once."""

    finished = True

    def __init__(self) -> None:
        self.noted: list[Operation] = []

    def next_messages(self, budget_bytes: int) -> list[bytes]:  # noqa: ARG002
        return []

    def on_reply(self, payload: bytes) -> None:
        raise AssertionError(payload)

    def note_operation(self, operation: Operation) -> None:
        self.noted.append(operation)


class SourceLog:
    """A source: a directory that changes and the log of its changes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.writer = LogWriter.create(directory, uuid.uuid4(), segment_bytes=64 << 10)
        self.sequence = 0

    def op(  # noqa: PLR0917
        self, kind: Kind, path: bytes, path2: bytes = b"", a: int = 0, b: int = 0, data: bytes = b"", flags: int = 0
    ) -> None:
        self.sequence += 1
        self.writer.append(Operation(kind, self.sequence, time.time_ns(), path, path2, a, b, data, flags))

    def commit(self) -> None:
        self.writer.commit()
        if self.writer.state.reader_waiting and (self.directory / "wake").exists():
            self.writer.state.reader_waiting = 0
            with (self.directory / "wake").open("r+b", buffering=0) as fifo:
                fifo.write(b"x")

    def open(self) -> LogAccess:
        state = StatePage(self.directory / "state")
        reader = LogReader(self.directory, self.directory, state, wake=self.directory / "wake")
        return LogAccess(reader, state, str(state.log_id), reader.close)

    def restart(self) -> None:
        self.writer = LogWriter.create(self.directory, uuid.uuid4(), segment_bytes=64 << 10)
        self.sequence = 0


class Proxy:
    """Forwards one port to another, and cuts connections when told, or after some bytes."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self.target = port
        self.address = address
        self.cut_after: Callable[[], int | None] = lambda: None
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.refusing = False
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                if self.refusing:
                    client.close()
                    continue
                try:
                    server = socket.create_connection((self.address, self.target))
                except OSError:
                    client.close()
                    continue
                self._pairs.append((client, server))
                left = self.cut_after()
                threading.Thread(target=self._pump, args=(client, server, left), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, None), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket, left: int | None) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if left is not None:
                    data = data[:left]
                    left -= len(data)
                other.sendall(data)
                if left == 0:
                    self.cuts += 1
                    break
        for sock in (one, other):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def cut(self) -> None:
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for sock in pair:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.close()
        self.cut()


class Pair:
    """A source and a target with a proxy between them."""

    def __init__(
        self,
        tmp: Path,
        *,
        settings: ReplicaSettings | None = None,
        root: Path | None = None,
        ports: dict[str, object] | None = None,
    ) -> None:
        self.tmp = tmp
        self.ports = ports or {}
        self.settings = settings or ReplicaSettings(checkpoint_s=0.1)
        self.source_identity = Identity.load_or_create(tmp / "source-key", "alpha")
        self.target_identity = Identity.load_or_create(tmp / "target-key", "beta")
        self.peers = [Peer("alpha", self.source_identity.certificate_pem)]
        self.log = SourceLog(tmp / "log")
        self.root = root or tmp / "replica"
        self.key = str(uuid.uuid4())
        self.says: list[str] = []
        self.mirrors = 0
        self.sources: list[SourceConnection] = []
        self.open_target()
        self.proxy = Proxy(self.listener.port)

    def open_target(self) -> None:
        self.house = ReplicaHouse(
            self.tmp / "replicas", settings=self.settings, ports={"happened": self.says.append, **self.ports}
        )
        self.house.open_all()
        self.listener = TargetListener(self.target_identity, lambda: self.peers, self.house)
        self.listener.start()
        if hasattr(self, "proxy"):
            self.proxy.target = self.listener.port

    def close_target(self) -> None:
        self.listener.stop()
        self.house.close()

    def mirror(self, says: str) -> MirrorJob:  # noqa: ARG002
        self.mirrors += 1
        return MirrorJob(EmptyMirror(), "full")

    def connect(self, *, epoch: int = 1, fresh: bool = True, key: str = "", **options: object) -> SourceConnection:
        terms = Terms(key or self.key, "protection", epoch, "alpha", "set", str(self.root))
        route = Route("127.0.0.1", self.proxy.port, Peer("beta", self.target_identity.certificate_pem))
        options.setdefault("hooks", SourceHooks(mirror_due=self.mirror, happened=self.says.append))
        source = SourceConnection(
            terms,
            route,
            self.source_identity,
            self.log.open,
            fresh=fresh,
            longest_wait_s=0.2,
            **options,  # type: ignore[arg-type]
        )
        source.start()
        self.sources.append(source)
        return source

    @property
    def replica(self) -> Replica:
        found = self.house.get(self.key)
        assert found is not None
        return found

    def good(self, source: SourceConnection) -> None:
        until(lambda: source.status().target_data_state == "good", what=f"{source.status()} {self.says}")

    def applied(self, timeout_s: float = 20.0) -> None:
        until(
            lambda: self.replica.status().applied_sequence >= self.log.sequence,
            timeout_s,
            f"{self.replica.status()} {self.says} {self.log.sequence}",
        )

    def close(self) -> None:
        for source in self.sources:
            source.stop()
        self.proxy.close()
        self.close_target()


class Model:
    """Random changes, done to a log and to a dictionary that is the truth: file path -> content; directories -> None."""

    def __init__(self, log: SourceLog, seed: int) -> None:
        self.log = log
        self.random = random.Random(seed)
        self.tree: dict[bytes, bytearray | None] = {}
        self._count = 0

    def files(self) -> list[bytes]:
        return [path for path, content in self.tree.items() if content is not None]

    def directories(self) -> list[bytes]:
        return [b"", *(path for path, content in self.tree.items() if content is None)]

    def new_name(self) -> bytes:
        self._count += 1
        parent = self.random.choice(self.directories())
        return (parent + b"/" if parent else b"") + b"n%d" % self._count

    def step(self) -> None:
        deeds = [
            self.create,
            self.mkdir,
            self.write,
            self.write,
            self.write,
            self.truncate,
            self.rename,
            self.rename,
            self.unlink,
            self.rmdir,
        ]
        self.random.choice(deeds)()

    def create(self) -> None:
        path = self.new_name()
        self.log.op(Kind.CREATE, path, a=0o100644)
        self.tree[path] = bytearray()

    def mkdir(self) -> None:
        path = self.new_name()
        self.log.op(Kind.MKDIR, path, a=0o40755)
        self.tree[path] = None

    def write(self) -> None:
        if not self.files():
            return
        path = self.random.choice(self.files())
        offset, data = self.random.randrange(20000), self.random.randbytes(self.random.randrange(1, 6000))
        self.log.op(Kind.WRITE, path, a=offset, data=data)
        content = self.tree[path]
        assert content is not None
        if len(content) < offset:
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data

    def truncate(self) -> None:
        if not self.files():
            return
        path, size = self.random.choice(self.files()), self.random.randrange(20000)
        self.log.op(Kind.TRUNCATE, path, a=size)
        content = self.tree[path]
        assert content is not None
        del content[size:]
        content.extend(bytes(size - len(content)))

    def rename(self) -> None:
        if not self.tree:
            return
        path = self.random.choice(list(self.tree))
        over = [f for f in self.files() if f != path]
        use_old = over and self.tree[path] is not None and self.random.random() < 0.4
        path2 = self.random.choice(over) if use_old else self.new_name()
        if path2.startswith(path + b"/"):
            return
        self.log.op(Kind.RENAME, path, path2)
        for old in [p for p in self.tree if p == path or p.startswith(path + b"/")]:
            self.tree[path2 + old[len(path) :]] = self.tree.pop(old)

    def unlink(self) -> None:
        if self.files():
            path = self.random.choice(self.files())
            self.log.op(Kind.UNLINK, path)
            del self.tree[path]

    def rmdir(self) -> None:
        empty = [d for d in self.directories() if d and not any(p.startswith(d + b"/") for p in self.tree)]
        if empty:
            path = self.random.choice(empty)
            self.log.op(Kind.RMDIR, path)
            del self.tree[path]


def tree_of(root: Path) -> dict[bytes, bytes | None]:
    """What is really there."""
    found: dict[bytes, bytes | None] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root)).encode()
        found[name] = None if path.is_dir() else path.read_bytes()
    return found


def wanted(model: Model) -> dict[bytes, bytes | None]:
    return {path: None if content is None else bytes(content) for path, content in model.tree.items()}
