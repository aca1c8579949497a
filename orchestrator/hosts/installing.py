"""Installing, upgrading and removing the engine on a host: over the system's ssh, or right here.

The host's own script does the work and tells each step in a line; this sends it there, hears it, and makes one error of a step that
failed. Nothing secret is put on a command line, nobody is asked for a password, and what was uploaded goes when the connection does.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from orchestrator.hosts.errors import HostNotReached, InstallationFailed
from orchestrator.hosts.package import Package

REMOTE = (
    "set -eu; umask 077; d=$(mktemp -d /var/tmp/dtam-install.XXXXXX); trap 'rm -rf \"$d\"' EXIT; trap 'exit 129' HUP INT TERM PIPE; "
    'cat >"$d/package"; sum=$1; verb=$2; shift 2; '
    'echo "$sum  $d/package" | sha256sum --check --status || '
    "{ printf 'failed\\tupload\\tthe package did not arrive whole\\trun the same command again\\n'; exit 1; }; "
    'tar -xzf "$d/package" -C "$d" host/engine-host.sh; sh "$d/host/engine-host.sh" "$verb" "$@" --package "$d/package"'
)
"""What receives a package on a host: its checksum and the script's words are the arguments, the package is standard input."""
AS_ROOT = 'if [ "$(id -u)" = 0 ]; then exec "$@"; else exec sudo -n "$@"; fi'
CONNECT_TIMEOUT_S = 10
SSH_FAILED = 255


@dataclass(frozen=True, slots=True)
class Line:
    """What the host's script said: the step, and whether it was done, so already, would be done, or failed (with what to do)."""

    word: str
    step: str
    says: str
    advice: str = ""

    @classmethod
    def parse(cls, text: str) -> Line:
        r"""A line as it came; what is not of the script is a note.

        >>> Line.parse("done\tunits\tunits are laid")
        Line(word='done', step='units', says='units are laid', advice='')
        """
        parts = text.rstrip("\n").split("\t")
        return cls(*parts[:4]) if len(parts) > 2 else cls("note", "", text.strip())


@dataclass(frozen=True, slots=True)
class Way:
    """The way to a host's shell: through ssh to ``destination``, or none of it, when that is empty and the host is this one."""

    destination: str = ""
    config_file: Path | None = None

    def __str__(self) -> str:
        return f"ssh {self.destination}" if self.destination else "this machine's shell"

    def command(self, words: Sequence[str]) -> list[str]:
        """The words, run as root over there."""
        whole = ["sh", "-c", AS_ROOT, "dtam", *words]
        if not self.destination:
            return whole
        options = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_TIMEOUT_S}", "-T"]
        config = ["-F", str(self.config_file)] if self.config_file else []
        return ["ssh", *config, *options, "--", self.destination, shlex.join(whole)]


@dataclass(frozen=True, slots=True)
class Installer:
    """One host and the way to it. ``tell`` hears every line as it comes."""

    server: str
    way: Way
    tell: Callable[[Line], None]

    def install(self, package: Package, settings: Mapping[str, str | int | None], *, dry_run: bool) -> dict[str, str]:
        """Bring the engine of this package to the host and run it there; the facts that it told (fingerprint, control_port).

        An engine of an earlier release is upgraded: it is restarted, and goes back to that release if the new one does not answer.

        Raises:
            HostNotReached, InstallationFailed.
        """
        words = ["--release", package.release, *_options(settings)]
        if dry_run:
            return self._script(package, ["install", *words, "--dry-run"])
        packed = package.packed()
        checksum = hashlib.sha256(packed).hexdigest()
        return self._run(["sh", "-c", REMOTE, "dtam", checksum, "install", *words], packed)

    def remove(self, package: Package, *, uninstall: bool, dry_run: bool) -> None:
        """Refuse while the engine is used; with ``uninstall`` take all of it away but the data.

        Raises:
            HostNotReached, InstallationFailed.
        """
        options = ("--uninstall",) * uninstall + ("--dry-run",) * dry_run
        self._script(package, ["remove", *options])

    def token(self, package: Package, name: str) -> str:
        """An admin token of the engine; an earlier one of the same name counts no more.

        Raises:
            HostNotReached, InstallationFailed.
        """
        heard: list[str] = []
        self._run(["sh", "-s", "--", "token", name], package.script, heard.append)
        try:
            return str(json.loads("".join(heard))["token"])
        except (ValueError, KeyError) as error:
            raise InstallationFailed(
                server=self.server, step="token", why="it gave none", next="dtengine token create, on that host"
            ) from error

    def _script(self, package: Package, words: Sequence[str]) -> dict[str, str]:
        return self._run(["sh", "-s", "--", *words], package.script)

    def _run(self, words: Sequence[str], given: bytes, hear: Callable[[str], None] | None = None) -> dict[str, str]:
        """Run a command there; its lines are told, its facts are given back."""
        facts: dict[str, str] = {}
        failed: list[Line] = []

        def heard(text: str) -> None:
            line = Line.parse(text)
            if line.word == "fact":
                facts[line.step] = line.says
            elif line.word == "failed":
                failed.append(line)
            else:
                self.tell(line)

        code, complaint = _speak(self.way.command(words), given, hear or heard)
        self._raise_if_failed(code, complaint, failed)
        return facts

    def _raise_if_failed(self, code: int, complaint: str, failed: Sequence[Line]) -> None:
        if failed:
            line = failed[0]
            raise InstallationFailed(
                server=self.server, step=line.step, why=line.says, next=line.advice or "run the same command again"
            )
        if code == SSH_FAILED and self.way.destination:
            raise HostNotReached(
                server=self.server,
                way=self.way,
                why=complaint or "the connection ended",
                next=f"try it by hand: ssh -o BatchMode=yes {self.way.destination} true",
            )
        if code:
            raise InstallationFailed(
                server=self.server,
                step="shell",
                why=complaint or f"exit code {code}",
                next="run the same command again",
            )


def _options(settings: Mapping[str, str | int | None]) -> list[str]:
    given = {name: value for name, value in settings.items() if value is not None}
    return [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def _speak(command: Sequence[str], given: bytes, hear: Callable[[str], None]) -> tuple[int, str]:
    """Give a program its input, hear its lines as they come; its exit code and its last complaint."""
    with tempfile.TemporaryFile() as complaints, tempfile.TemporaryFile() as standard_input:
        standard_input.write(given)
        standard_input.seek(0)
        try:
            process = subprocess.Popen(command, stdin=standard_input, stdout=subprocess.PIPE, stderr=complaints)
        except OSError as error:
            return SSH_FAILED, f"{command[0]}: {error.strerror}"
        with process:
            assert process.stdout is not None  # noqa: S101  a pipe was asked for
            for line in process.stdout:
                hear(line.decode(errors="replace"))
        return process.returncode, _last_line(complaints)


def _last_line(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    lines = [line.strip() for line in complaints.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""
