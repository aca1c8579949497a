"""The yardsticks: an rsync daemon on loopback, plain or behind TLS (stunnel on both ends), and cp."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Daemon:
    """Where to copy to, and the processes that serve it."""

    url: str
    pids: tuple[int, ...]


def free_port(address: str = "127.0.0.1") -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def await_listener(port: int, within_s: float = 5.0) -> None:
    """Wait until something accepts connections on the loopback port."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
            return
        time.sleep(0.02)
    message = f"nothing listens on port {port}"
    raise TimeoutError(message)


@contextlib.contextmanager
def running(*command: str) -> Iterator[int]:
    """A process for as long as the block lasts; its pid."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def rsync_daemon(work: Path, target: Path) -> Iterator[Daemon]:
    """A daemon that writes to ``target``."""
    port = free_port()
    configuration = work / "rsyncd.conf"
    configuration.write_text(
        f"port = {port}\naddress = 127.0.0.1\nuse chroot = no\nuid = 0\ngid = 0\npid file = {work}/rsyncd.pid\n"
        f"[target]\npath = {target}\nread only = no\n"
    )
    with running("rsync", "--daemon", "--no-detach", f"--config={configuration}") as pid:
        await_listener(port)
        yield Daemon(f"rsync://127.0.0.1:{port}/target/", (pid,))


@contextlib.contextmanager
def tls_around(work: Path, daemon: Daemon) -> Iterator[Daemon]:
    """Two stunnels around a daemon's port: the same daemon through them."""
    port = urlsplit(daemon.url).port
    outer, entry = free_port(), free_port()
    key = work / "stunnel.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bench",
         "-keyout", str(key), "-out", str(work / "cert.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    key.write_text(key.read_text() + (work / "cert.pem").read_text())
    key.chmod(0o600)
    for name, accept, connect, client in (("server", outer, port, "no"), ("client", entry, outer, "yes")):
        certificate = f"cert = {key}\n" if client == "no" else ""
        (work / f"stunnel-{name}.conf").write_text(
            f"foreground = yes\npid =\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n"
            f"[rsync]\nclient = {client}\n{certificate}accept = 127.0.0.1:{accept}\nconnect = 127.0.0.1:{connect}\n"
        )
    with (
        running("stunnel", str(work / "stunnel-server.conf")) as server,
        running("stunnel", str(work / "stunnel-client.conf")) as client,
    ):
        await_listener(outer)
        await_listener(entry)
        yield Daemon(f"rsync://127.0.0.1:{entry}/target/", (*daemon.pids, server, client))


def rsync(source: Path, url: str, *options: str) -> None:
    """Copy the content of a directory to a daemon."""
    subprocess.run(["rsync", "-a", *options, f"{source}/", url], check=True, capture_output=True)


def put_away(directory: Path, store: Path) -> None:
    """Leave nothing below the directory, and delete nothing: what was in it goes to a place of its own in ``store``, of the same file system.

    ext4 steps over the inode of each file that was deleted within the last minutes, one by one, whenever it makes a file nearby:
    after 20,000 deletions a new file took 270 microseconds instead of 25, which fell on whoever had the next turn.
    """
    place = Path(tempfile.mkdtemp(dir=store))
    for entry in directory.iterdir():
        entry.rename(place / entry.name)
    subprocess.run(["sync"], check=True)


def empty(directory: Path) -> None:
    """Leave nothing below the directory, and let the disk settle before the next rival's turn."""
    for entry in directory.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    subprocess.run(["sync"], check=True)
