"""What libkrb5 has to know of a realm while a session is open: where its KDCs are, and not to trust reverse DNS.

libkrb5 takes settings from files only, and learns their names from the environment of the process. So all realms in use stand
in one file of ours, which ``KRB5_CONFIG`` names before the system's; both go with the last session. State: ``_IN_USE`` and the
file, guarded by ``_LOCK``.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.directory.run_place import new_directory

_LOCK = threading.Lock()
_IN_USE: list[tuple[str, tuple[str, ...]]] = []
_VARIABLE = "KRB5_CONFIG"
_SYSTEM = "/etc/krb5.conf"
# Reverse DNS is not to be trusted; tickets with lists of groups do not fit into UDP.
_ALWAYS = " rdns = false\n dns_canonicalize_hostname = false\n udp_preference_limit = 1\n"


class _Place:
    """The directory of our file, and what the variable held before."""

    directory: Path | None = None
    before: str | None = None


@contextmanager
def known_realm(realm: str, kdcs: Sequence[str]) -> Iterator[None]:
    """Let libkrb5 know a realm for as long as the block runs; no KDCs: it looks them up by itself."""
    entry = (realm, tuple(kdcs))
    with _LOCK:
        _IN_USE.append(entry)
        _write()
    try:
        yield
    finally:
        with _LOCK:
            _IN_USE.remove(entry)
            _write()


def settings_text(realms: Sequence[tuple[str, Sequence[str]]]) -> str:
    """The settings file for these realms, the first one being the default.

    A realm whose KDCs are known is final (``}*``): later files add none, and none is looked for, not even a primary one.
    """
    kdcs = {
        realm: tuple(dict.fromkeys(kdc for one, given in realms if one == realm for kdc in given))
        for realm, _ in realms
    }
    known = "".join(_realm_text(realm, found) for realm, found in kdcs.items() if found)
    hosts = "".join(f" .{realm.lower()} = {realm}\n {realm.lower()} = {realm}\n" for realm in kdcs)
    return f"[libdefaults]\n default_realm = {realms[0][0]}\n{_ALWAYS}[realms]\n{known}[domain_realm]\n{hosts}"


def _realm_text(realm: str, kdcs: Sequence[str]) -> str:
    lines = [f"  {word} = {_bracketed(one)}\n" for one in kdcs for word in ("kdc", "primary_kdc")]
    return f" {realm} = {{\n{''.join(lines)} }}*\n"


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _write() -> None:
    """Make the file and the variable say what is in use; called under the lock."""
    if not _IN_USE:
        _forget()
        return
    if _Place.directory is None:
        _Place.directory, _Place.before = new_directory("krb5-"), os.environ.get(_VARIABLE)
    path, new = _Place.directory / "krb5.conf", _Place.directory / "new"
    new.write_text(settings_text(_IN_USE), encoding="ascii")
    new.replace(path)
    os.environ[_VARIABLE] = f"{path}:{_Place.before or _SYSTEM}"


def _forget() -> None:
    if _Place.directory is not None:
        shutil.rmtree(_Place.directory, ignore_errors=True)
    if _Place.before is None:
        os.environ.pop(_VARIABLE, None)
    else:
        os.environ[_VARIABLE] = _Place.before
    _Place.directory = None
