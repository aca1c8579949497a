"""The settings of a daemon: defaults, then a TOML file, then flags. A mistake in the file is named with its key.

# /etc/dtam/dtengine.toml
name = "alpha"
address = "192.0.2.7"
state = "/var/lib/dtam/engine"
"""

from __future__ import annotations

import os
import re
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from orchestrator.engine.control.errors import SettingsUnreadable
from orchestrator.engine.control.fields import MIB, Address, Bytes, Name, Port, Request
from orchestrator.engine.control.fields import Path as AbsolutePath
from orchestrator.engine.control.schema_verify import VerifySettings
from orchestrator.engine.oplog.limits import UNLIMITED, QueueLimits

WILDCARDS = ("0.0.0.0", "::")


def own_name() -> str:
    """The host's short name, made fit to be an engine's name."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname().partition(".")[0]).lstrip("._-")
    return plain[:100] or "engine"


def default_state() -> str:
    """Where the state goes: /var/lib/dtam/engine for root, else below the home directory."""
    if os.geteuid() == 0:
        return "/var/lib/dtam/engine"
    return str(Path("~/.local/state/dtam/engine").expanduser())


def default_memory() -> str:
    """Where the queue in memory lies: DTAM_MEMORY_DIRECTORY, else a directory of this user's own on the usual tmpfs."""
    return os.environ.get("DTAM_MEMORY_DIRECTORY") or f"/dev/shm/dtam-{os.geteuid()}"  # noqa: S108 - a tmpfs by definition


class QueueSettings(Request):
    """How much each replica of this engine may queue: ``disk_limit_bytes`` None is unlimited, 0 no disk queue.

    What is queued is always on the disk as well before it is acknowledged; no disk queue means that no more waits there than in memory.
    Memory holds little by default, because what it does not hold is read from the log, which the page cache has anyway.
    """

    memory_limit_bytes: Bytes = 32 * MIB
    disk_limit_bytes: Bytes | None = None
    minimum_free_bytes: Bytes = 50 * MIB
    alert_percent: int = Field(default=50, ge=1, le=100)

    def limits(self) -> QueueLimits:
        """The same for the replicas."""
        disk = UNLIMITED if self.disk_limit_bytes is None else self.disk_limit_bytes
        return QueueLimits(self.memory_limit_bytes, disk, self.minimum_free_bytes, self.alert_percent)


class Settings(Request):
    """What a daemon is told at its start.

    ``auto_reconnect`` off: what was connected before stays Stopped until it is resumed. ``queue`` limits the queues of the replicas
    here, ``verify`` is about the verification logs; a captured directory has limits of its own. ``retry_limit`` is how often a change
    that a target file refuses is tried again before a mirror is called for (None: for ever).
    """

    name: Name = Field(default_factory=own_name)
    state: AbsolutePath = Field(default_factory=default_state)
    address: Address = "0.0.0.0"
    control_port: Port = 6320
    data_port: Port = 6321
    probe_port: Port = 6320
    memory_directory: AbsolutePath = Field(default_factory=default_memory)
    queue: QueueSettings = QueueSettings()
    retry_limit: int | None = Field(default=None, ge=1)
    verify: VerifySettings = VerifySettings()
    auto_reconnect: bool = True
    system_log: AbsolutePath = "/dev/log"

    @property
    def listens_everywhere(self) -> bool:
        """Whether the address is a wildcard."""
        return self.address in WILDCARDS


def read_settings(file: Path | None, flags: Mapping[str, Any]) -> Settings:
    """Settings from a file and flags (those that are not None).

    Raises:
        SettingsUnreadable: the file cannot be read, or a value is outside its limits.
    """
    values = _from_file(file) if file is not None else {}
    values |= {key: value for key, value in flags.items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        where = "given by flag" if key in flags and flags[key] is not None else file or "defaults"
        raise SettingsUnreadable(path=where, why=f"{key}: {first['msg']}") from error


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsUnreadable(path=file, why=error.strerror) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsUnreadable(path=file, why=str(error)) from error
