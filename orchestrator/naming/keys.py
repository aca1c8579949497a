"""TSIG keys: read from a file that only its owner may read, never from a command line.

Two spellings: BIND's ``key "name" { algorithm hmac-sha256; secret "..."; };`` as tsig-keygen writes it, or JSON
``{"name": ..., "algorithm": ..., "secret": ...}``. The secret never appears in a message, a log or a repr.
"""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import dns.exception
import dns.name
import dns.tsig

from orchestrator.naming.errors import KeyFileUnusable

_BIND_KEY = re.compile(r'key\s+"?(?P<name>[^"\s{]+)"?\s*\{(?P<body>[^}]*)\}', re.DOTALL)
_BIND_FIELD = re.compile(r'(?P<word>algorithm|secret)\s+"?(?P<value>[^";\s]+)"?\s*;')
_COMMENTS = re.compile(r"/\*.*?\*/|//[^\n]*|^\s*#[^\n]*", re.DOTALL | re.MULTILINE)
_ALGORITHMS = {name.to_text(omit_final_dot=True).lower(): name for name in dns.tsig.mac_sizes}
_ADVICE = "make one with: tsig-keygen dtam > FILE && chmod 600 FILE"


class Signer(Protocol):
    """What a message can be signed with: a key of ours, or a Kerberos session with that server."""

    @property
    def name(self) -> str:
        """The name of the key, as the server knows it."""
        ...

    def tsig(self) -> dns.tsig.Key:
        """The form that dnspython signs with."""
        ...


@dataclass(frozen=True, slots=True)
class Key:
    """A TSIG key; its repr and str show its name only."""

    name: str
    algorithm: str
    secret: str = field(repr=False)

    def tsig(self) -> dns.tsig.Key:
        """The key in the form that dnspython signs with."""
        return dns.tsig.Key(dns.name.from_text(self.name), self.secret, _ALGORITHMS[self.algorithm])

    def __str__(self) -> str:
        return self.name


def read_key(path: Path) -> Key:
    """Read a TSIG key from a file with a tight mode.

    Raises:
        KeyFileUnusable: it is missing, others may read it, or it does not hold one good key.
    """
    text = _COMMENTS.sub("", _read_private(path))
    facts = _from_json(path, text) if text.lstrip().startswith("{") else _from_bind(path, text)
    return _checked(path, facts)


def _read_private(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise KeyFileUnusable(
                    path=path, reason=f"its mode {mode:04o} lets others read it", advice=f"run: chmod 600 {path}"
                )
            return file.read(65536).decode("utf-8")
    except OSError as error:
        raise KeyFileUnusable(path=path, reason=error.strerror or str(error), advice=_ADVICE) from error
    except UnicodeDecodeError as error:
        raise KeyFileUnusable(path=path, reason="it is not text", advice=_ADVICE) from error


def _from_json(path: Path, text: str) -> dict[str, str]:
    try:
        facts = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise KeyFileUnusable(path=path, reason=f"it is not JSON ({where}: {error.msg})", advice=_ADVICE) from None
    return {str(word): str(value) for word, value in facts.items()}


def _from_bind(path: Path, text: str) -> dict[str, str]:
    found = list(_BIND_KEY.finditer(text))
    if len(found) != 1:
        reason = "it holds no key statement" if not found else f"it holds {len(found)} keys, and must hold one"
        raise KeyFileUnusable(path=path, reason=reason, advice=_ADVICE)
    fields = {match["word"]: match["value"] for match in _BIND_FIELD.finditer(found[0]["body"])}
    return {"name": found[0]["name"], **fields}


def _checked(path: Path, facts: dict[str, str]) -> Key:
    missing = [word for word in ("name", "algorithm", "secret") if not facts.get(word)]
    if missing:
        raise KeyFileUnusable(path=path, reason=f"it lacks {' and '.join(missing)}", advice=_ADVICE)
    algorithm = facts["algorithm"].lower().rstrip(".")
    algorithm = "hmac-md5.sig-alg.reg.int" if algorithm == "hmac-md5" else algorithm
    if algorithm not in _ALGORITHMS or algorithm == "gss-tsig":
        raise KeyFileUnusable(path=path, reason=f"the algorithm {facts['algorithm']} is not known", advice=_ADVICE)
    key = Key(facts["name"], algorithm, facts["secret"])
    try:
        base64.b64decode(key.secret, validate=True)
        key.tsig()
    except (ValueError, dns.exception.DNSException) as error:
        raise KeyFileUnusable(path=path, reason="its name or secret is malformed", advice=_ADVICE) from error
    return key
