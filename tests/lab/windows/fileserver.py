"""A real file server behind the simulated Server service: Samba offers what the machine's model offers, so that real clients see it.

Only in the lab. It follows the model: shares with their security descriptors, the names that are served, the state of the service.
What Samba does with a client is Samba's; that Windows would do the same is not claimed.
"""

from __future__ import annotations

import logging
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.lab.windows.machine.descriptors import parse
from tests.lab.windows.machine.machine import Machine

CONFIGURATION = Path("/etc/samba/smb.conf")
OWN = Path("/etc/samba/windows.conf")
LOG = logging.getLogger(__name__)
LOOK_S = 0.3
PATIENCE_S = 90


@dataclass(frozen=True)
class Offer:
    """What is to be offered: the shares as sections of smb.conf, their descriptors, other names of the server."""

    sections: str
    descriptors: tuple[tuple[str, str], ...]
    aliases: tuple[str, ...]


def plain(sddl: str) -> str:
    """A descriptor whose rights are numbers and whose accounts are SIDs: Samba takes FA for less than it is."""
    read = parse(sddl)
    entries = "".join(f"({one.kind};{''.join(one.flags)};{one.mask:#x};;;{one.sid})" for one in read.dacl or ())
    return f"O:{read.owner or 'BA'}G:{read.group or 'BA'}D:{entries}"


def offer_of(machine: Machine) -> Offer | None:
    """What the model offers now; None while the Server service does not run."""
    if not machine.services.is_running("LanmanServer"):
        return None
    shares = [one for one in machine.shares.all() if not one["name"].endswith("$")]
    sections = "".join(
        f"[{one['name']}]\n path = {machine.files.open_path(one['path'])}\n read only = no\n force user = root\n"
        for one in shares
    )
    own = {machine.computer.name.lower(), machine.computer.fqdn.lower()}
    aliases = tuple(name for name in machine.computer.served_names() if name.lower() not in own)
    return Offer(sections, tuple((one["name"], plain(one["sddl"])) for one in shares), aliases)


def _names(aliases: tuple[str, ...]) -> str:
    short = " ".join(one for one in aliases if "." not in one)
    full = " ".join(one for one in aliases if "." in one)
    lines = [f" netbios aliases = {short}\n"] if short else []
    return "".join([*lines, f" additional dns hostnames = {full}\n"] if full else lines)


class FileServer:
    """smbd and winbindd of the host; they are started with the first share."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._now: Offer | None = None
        self._daemon: subprocess.Popen[bytes] | None = None
        self._looked_s = 0.0

    def follow(self) -> None:
        """Make it what the model says; called often."""
        if time.monotonic() - self._looked_s < LOOK_S:
            return
        self._looked_s = time.monotonic()
        wanted = offer_of(self._machine)
        if wanted == self._now:
            return
        self._configure(wanted)
        if wanted is None:
            self.stop()
        elif self._daemon is None and wanted.sections:
            self._start()
        elif self._daemon is not None:
            subprocess.run(["smbcontrol", "all", "reload-config"], capture_output=True, check=False)
        self._now = wanted

    def _configure(self, wanted: Offer | None) -> None:
        text = f"[global]\n{_names(wanted.aliases)}{wanted.sections}" if wanted else ""
        OWN.write_text(text)
        include = f"include = {OWN}\n"
        plain = CONFIGURATION.read_text()
        if include not in plain:
            CONFIGURATION.write_text(plain + include)
        for name, sddl in wanted.descriptors if wanted else ():
            done = subprocess.run(["sharesec", name, f"--setsddl={sddl}"], capture_output=True, text=True, check=False)
            if done.returncode:
                LOG.warning("sharesec %s %s: %s%s", name, sddl, done.stdout, done.stderr)

    def _start(self) -> None:
        if subprocess.run(["pgrep", "-x", "winbindd"], capture_output=True, check=False).returncode:
            subprocess.run(["winbindd", "-D"], capture_output=True, check=False)
            deadline_s = time.monotonic() + PATIENCE_S
            while subprocess.run(["wbinfo", "-p"], capture_output=True, check=False).returncode:
                if time.monotonic() > deadline_s:
                    LOG.error("winbindd does not reach the domain")
                    break
                time.sleep(0.1)
        # In a group of its own: whoever ends smbd ends its whole group with it.
        self._daemon = subprocess.Popen(["smbd", "-F", "--no-process-group"], stdin=subprocess.DEVNULL, process_group=0)

    def stop(self) -> None:
        """The service has stopped, or the machine ends."""
        if self._daemon is not None:
            subprocess.run(["pkill", "-x", "smbd"], capture_output=True, check=False)  # of this host: it sees no others
            self._daemon.wait()
            self._daemon = None
        self._now = None
