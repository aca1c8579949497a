"""A host of the lab: its own name, files, processes and network; it can lose its power and boot again with what was on its disk."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tests.lab.keeper import ROOM, Keeper, the_init_below
from tests.lab.links import Network
from tests.lab.places import Place

T = TypeVar("T")
PROJECT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}
NOT_INHERITED = (
    "etc/samba",
    "var/lib/samba",
    "var/cache/samba",
    "var/log/samba",
    "etc/dtam",
    "var/lib/dtam",
    "etc/krb5.keytab",
)
MADE_ANEW = ("etc/samba", "var/lib/samba/private", "var/cache/samba", "var/log/samba")


class CommandFailed(subprocess.CalledProcessError):
    """A command on a host ended with another exit code than 0; says what it said."""

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.stdout}\n{self.stderr}"


def places_to_bind() -> list[str]:
    """The project, and what Python needs from file systems other than the root's."""
    own = os.stat("/").st_dev
    others = {sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix)}
    return [str(PROJECT), *sorted(one for one in others if os.stat(one).st_dev != own)]


def nsenter(pid: int) -> list[str]:
    """The words before a command that is to run on the host whose init is ``pid``."""
    return ["nsenter", "-t", str(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--"]


def environment(more: Mapping[str, str]) -> list[str]:
    """The words before a command that is to run with the environment of the lab's hosts and ``more``, and nothing else."""
    return ["env", "-i", *(f"{key}={value}" for key, value in {**ENVIRONMENT, **more}.items())]


class LabHost:
    """One host. ``name``, ``fqdn`` and ``address`` say who it is; ``services`` starts what it runs after each boot."""

    def __init__(self, keeper: Keeper, network: Network, place: Place) -> None:
        self.place = place
        self.name, self.fqdn, self.address = place.name, place.fqdn, place.address
        self.services: Callable[[LabHost], None] = lambda host: None
        self._keeper = keeper
        self._network = network
        self._disk = ROOM / place.name
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - it is nameless and goes with this process
        self._starter: subprocess.Popen[bytes] | None = None
        self.pid = 0  # of its init, as seen from outside; 0 when it has no power

    # -- power ------------------------------------------------------------------------------------------------------
    def insert_disk(self) -> None:
        """Put the root together: the machine's files below, its own above. Once in its life, after a cached disk was laid out."""
        disk = self._disk
        self._keeper.run(["mkdir", "-p", f"{disk}/upper", f"{disk}/work", f"{disk}/root"])
        options = f"lowerdir=/,upperdir={disk}/upper,workdir={disk}/work"
        self._keeper.run(["mount", "-t", "overlay", "-o", options, "overlay", f"{disk}/root"])

    def forget_the_machine(self) -> None:
        """Take away what the machine below has of its own in the places that the lab's services use."""
        root = self._disk / "root"
        self._keeper.run(["rm", "-rf", *(f"{root}/{one}" for one in NOT_INHERITED)])
        self._keeper.run(["mkdir", "-p", *(f"{root}/{one}" for one in MADE_ANEW)])

    def remove_disk(self) -> None:
        """Take the root apart again; the host has no power."""
        self._keeper.run(["umount", f"{self._disk}/root"])

    def boot(self) -> None:
        """Give it power: init, network, then its services. Does nothing when it has power."""
        if not self.pid:
            self.power_on()
            self.services(self)

    def power_on(self) -> None:
        """Init and network only."""
        script = str(Path(__file__).with_name("boot.sh"))
        self._starter = subprocess.Popen(
            [
                *self._keeper.inside("mount", "pid"),
                *("unshare", "-n", "-m", "-u", "-i", "-p", "--fork", "--kill-child=KILL", "--mount-proc"),
                *(script, str(os.getpid()), self.name, f"{self._disk}/root", *places_to_bind()),
            ],
            stdin=subprocess.DEVNULL,
            stderr=self._complaints,  # unshare always says something when what it started is killed
            cwd="/",
            start_new_session=True,
        )
        self.pid = the_init_below(self._starter, self.name)
        self._network.plug(self.place, self.pid)

    def power_cut(self) -> None:
        """Take its power away: silence on the wire first (a killed process would still say goodbye), then all processes."""
        if not self.pid or self._starter is None:
            return
        self._network.unplug(self.place)
        os.kill(self.pid, signal.SIGKILL)
        self._starter.wait()
        self.pid = 0

    def add_nic(self, interface: str, subnet: int, address: str) -> None:
        """One more network card, on subnet 0 or 1; it goes with the next power cut or ``reset``."""
        self._network.add_nic(self.place, self.pid, interface, subnet, address)

    def forget(self) -> None:
        """Let go of it after its lab has ended."""
        if self._starter is not None:
            self._starter.wait()
        self._complaints.close()
        self.pid = 0

    # -- working on it ----------------------------------------------------------------------------------------------
    @property
    def enter(self) -> list[str]:
        """The words before a command that is to run on it."""
        assert self.pid, f"{self.name} has no power"
        return nsenter(self.pid)

    def _words(self, argv: Sequence[object], user: str | None, env: Mapping[str, str] | None) -> list[str]:
        become = ["runuser", "-u", user, "--"] if user else []
        return [*self.enter, *environment(env or {}), *become, *map(str, argv)]

    def run(
        self,
        argv: Sequence[object],
        *,
        input: str | None = None,  # noqa: A002 - as subprocess calls it
        check: bool = True,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout_s: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, as root or as ``user``, with the lab's environment and ``env``. Raises CommandFailed."""
        words = self._words(argv, user, env)
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=timeout_s, cwd="/", **given)
        if check and done.returncode:
            raise CommandFailed(done.returncode, list(map(str, argv)), done.stdout, done.stderr)
        return done

    def popen(
        self, argv: Sequence[object], *, user: str | None = None, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[Any]:
        """Start a command and leave it running; options as for subprocess.Popen. It ends at the latest with the host."""
        return subprocess.Popen(self._words(argv, user, env), cwd="/", **options)

    def path(self, path: str | Path) -> Path:
        """A file of the host as seen from outside; without power, what is on its disk."""
        if self.pid:
            return Path(f"/proc/{self.pid}/root{path}")
        return self._keeper.seen(self._disk / "root" / str(path).lstrip("/"))

    def write(self, path: str | Path, text: str, mode: int = 0o644) -> None:
        """Make a file of the host, with its directories."""
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
            out.write(text)

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """What ``function`` gives when it runs on the host (its names, files and network), in a copy of this process."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover - never returns
            self._answer(writing, function, args, kwargs)
        os.close(writing)
        with open(reading, "rb") as answers:
            answer = answers.read()
        os.waitpid(child, 0)
        assert answer, f"the call on {self.name} ended without an answer"
        good, value = pickle.loads(answer)
        if good:
            return value
        raise value

    def _answer(self, writing: int, function: Callable[..., T], args: Any, kwargs: Any) -> None:
        try:
            enter_namespaces(self.pid)
            os.environ.update(ENVIRONMENT)
            answer = _pickled(True, function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - it is raised again by the one who asked
            error.add_note("".join(traceback.format_exception(error)))
            answer = _pickled(False, error)
        with open(writing, "wb") as out:
            out.write(answer)
        os._exit(0)


def _pickled(good: bool, value: object) -> bytes:
    try:
        pickle.loads(text := pickle.dumps((good, value)))
    except Exception:  # noqa: BLE001 - whatever cannot travel is told as text
        return pickle.dumps(
            (False, AssertionError(f"cannot be handed over: {value!r}\n{getattr(value, '__notes__', '')}"))
        )
    return text


def enter_namespaces(pid: int) -> None:
    """Move this process, which must have one thread only, into the namespaces of ``pid``, except that of processes."""
    libc = ctypes.CDLL(None, use_errno=True)
    opened = [os.open(f"/proc/{pid}/ns/{one}", os.O_RDONLY) for one in ("net", "uts", "ipc", "mnt")]
    for namespace in opened:
        if libc.setns(namespace, 0):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(namespace)
    os.chdir("/")
