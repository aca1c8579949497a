"""The ancestor's switches of dfo, read as ours: ``/srcname alpha.x /tarip 10.0.0.20 /failback`` and ``-srcname``.

Pure: words in, words out. What the ancestor did with passwords and Windows accounts is refused, with the reason and what to use
instead: a password on a command line can be read by every user of the machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

_VALUED = {
    "dnssrvname": "--server",
    "srcname": "--source-name",
    "srcip": "--source-ip",
    "tarname": "--target-name",
    "tarip": "--target-ip",
    "recordtype": "--record-type",
    "dnszone": "--zone",
    "dnsdomain": "--zone",
    "logfile": "--log",
    "ttl": "--ttl",
    "addomain": "--domain",
    "trustee": "--account",
}
_PLAIN = {"verbose": "--verbose", "debug": "--verbose"}
_DEED_WORDS = ("failback", "lock", "unlock", "test")
_REFUSED = {
    "password": "a password on a command line can be read by every user of this machine: use --key-file, or --kerberos "
    "with --keytab or --password-file",
    "username": "it belongs to /password: use --key-file, or --kerberos with --principal and --keytab or --password-file",
    "setpassword": "dfo keeps no passwords: use --key-file, or --kerberos with --keytab",
    "getpassword": "dfo keeps no passwords: use --key-file, or --kerberos with --keytab",
    "sourcedn": "it names an object of Active Directory: use --source-name",
    "flushdns": "the caches of other machines cannot be emptied from here: lower the TTL with dfo ttl instead",
    "machine": "it belongs to /flushdns: lower the TTL with dfo ttl instead",
}
_HELP = ("?", "help", "h")
_KNOWN = {*_VALUED, *_PLAIN, *_DEED_WORDS, *_REFUSED, *_HELP}


def translated(words: Sequence[str]) -> list[str]:
    """The words in our spelling; words that begin with one of our deeds or options are given back untouched.

    Raises:
        click.UsageError: a switch that is refused, or a value that is missing.
    """
    if not words or _switch(words[0]) is None:
        return list(words)
    options: list[str] = []
    seen: set[str] = set()
    rest = list(words)
    while rest:
        rest = _take(rest, options, seen)
    return [*_deed(seen, options), *options]


def _take(rest: list[str], options: list[str], seen: set[str]) -> list[str]:
    """Translate the first word (with its value); what remains."""
    switch = _switch(rest[0])
    if switch is None:
        options.append(rest[0])
        return rest[1:]
    if switch in _REFUSED:
        raise click.UsageError(f"{rest[0]} is not accepted: {_REFUSED[switch]}")
    seen.add(switch)
    if switch in _VALUED:
        return _take_value(rest, options, _VALUED[switch])
    if switch in _PLAIN:
        options.append(_PLAIN[switch])
    return rest[1:]


def _take_value(rest: list[str], options: list[str], option: str) -> list[str]:
    if len(rest) < 2 or _switch(rest[1]) is not None:
        raise click.UsageError(f"{rest[0]} needs a value")
    options += [option, rest[1]]
    return rest[2:]


def _switch(word: str) -> str | None:
    """The ancestor's switch in a word, or None."""
    if word[:1] not in ("/", "-") or word.startswith("--"):
        return None
    bare = word[1:].lower()
    return bare if bare in _KNOWN else None


def _deed(seen: set[str], options: list[str]) -> list[str]:
    """What the ancestor would have done: its deed words, else a failover, else (no target address) a list."""
    if seen & set(_HELP):
        options.clear()
        return ["--help"]
    test = ["--test"] if "test" in seen else []
    for word in ("failback", "lock", "unlock"):
        if word in seen:
            return [word, *test]
    if "tarip" in seen:
        return ["failover", *test]
    return ["test"] if test else ["list"]
