"""The options of the tool itself, kept below its state directory: how often it looks, what it logs, how it shows. Nothing about a protection.

What is not in the file is as ever. ``read`` and ``write`` are all that touches it; it holds no secret.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec

from orchestrator.store.errors import OptionsUnreadable

FILE = "options.json"
REFRESH_MIN_S, REFRESH_MAX_S = 1, 30_000
LOG_MIN_BYTES, LOG_BYTES = 10_000, 1_000_000


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The guide's options with its defaults (chapter 2).

    ``refresh_s`` None adjusts itself. ``verbose`` logs every command, else only what went wrong; past ``log_bytes`` the log is kept as
    ``.prev`` and begun anew. ``details`` shows how the data moves in ``dtam monitor``; ``bytes`` counts in bytes. ``load_last``: without
    a name the protection that was looked at last is meant. ``alternative_dns``: the names are not in Active Directory's DNS.
    ``advanced``: setup asks for advanced settings. ``last`` is what was looked at last, for each application.
    """

    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 6320
    refresh_s: Annotated[int, msgspec.Meta(ge=REFRESH_MIN_S, le=REFRESH_MAX_S)] | None = None
    verbose: bool = True
    log_bytes: Annotated[int, msgspec.Meta(ge=LOG_MIN_BYTES, lt=2**40)] = LOG_BYTES
    details: bool = True
    bytes: bool = False
    load_last: bool = False
    alternative_dns: bool = False
    advanced: bool = False
    last: dict[str, str] = {}


def read(home: Path) -> Options:
    """The options below a state directory; the guide's where nobody chose.

    Raises:
        OptionsUnreadable: the file is damaged, or holds what is no option.
    """
    path = home / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Options)
    except FileNotFoundError:
        return Options()
    except (OSError, msgspec.MsgspecError) as error:
        raise OptionsUnreadable(path=path, why=error) from error


def changed(options: Options, values: dict[str, Any]) -> Options:
    """The same with other values, within their limits.

    Raises:
        msgspec.ValidationError: one is outside of them.
    """
    return msgspec.convert(msgspec.to_builtins(options) | values, Options)


def write(home: Path, options: Options) -> None:
    """Keep them, whole or not at all; readable by their owner only.

    Raises:
        OptionsUnreadable: the directory cannot be written.
    """
    path = home / FILE
    beside = path.with_name(f"{FILE}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(options)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OptionsUnreadable(path=path, why=error.strerror or error) from error
