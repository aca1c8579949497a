"""The options that the commands of dfo share: whose records (``SUBJECT``), and how the servers are reached (``REACH``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from orchestrator.naming.values import MOVABLE_TYPES, NameServer

_Command = TypeVar("_Command", bound=Callable[..., Any])
_RECORD_TYPES = {
    **{name.lower(): (name,) for name in MOVABLE_TYPES},
    "all": MOVABLE_TYPES,
    "msexchange": MOVABLE_TYPES,
    "std": tuple(name for name in MOVABLE_TYPES if name != "MX"),
    "standard": tuple(name for name in MOVABLE_TYPES if name != "MX"),
}


def one_server(text: str) -> NameServer:
    """The server of a word; click.UsageError when it is none."""
    try:
        return NameServer.parse(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def servers(_context: click.Context, _option: click.Parameter, texts: Sequence[str]) -> tuple[NameServer, ...]:
    """The servers of a repeated option, each once."""
    return tuple(dict.fromkeys(one_server(text) for text in split_words(texts)))


def split_words(texts: Sequence[str]) -> list[str]:
    """Values given one by one, or several in one with commas or spaces."""
    return [part for text in texts for part in re.split(r"[,\s]+", text) if part]


def _types(_context: click.Context, _option: click.Parameter, texts: Sequence[str]) -> tuple[str, ...]:
    unknown = [text for text in split_words(texts) if text.lower() not in _RECORD_TYPES]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(_RECORD_TYPES)}")
    return (
        tuple(dict.fromkeys(name for text in split_words(texts) for name in _RECORD_TYPES[text.lower()]))
        or MOVABLE_TYPES
    )


def _pairs(_context: click.Context, _option: click.Parameter, texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple(text.rpartition("=")[::2] for text in texts)


def _stacked(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_FILE = click.Path(path_type=Path, dir_okay=False)

REACH = _stacked(
    click.option(
        "--server", "servers", multiple=True, callback=servers, help="A DNS server's address[:port]; repeat it."
    ),
    click.option(
        "--key-file",
        "key_files",
        multiple=True,
        metavar="[SERVER=]FILE",
        help="TSIG key: a file of mode 0600, as tsig-keygen writes it or JSON; one for all servers, or for one.",
    ),
    click.option(
        "--unsigned", is_flag=True, help="Send unsigned updates where there is no key. Anybody could do the same."
    ),
    click.option(
        "--kerberos",
        is_flag=True,
        help="Sign updates with Kerberos, and use the directory that keeps the zones (Active Directory).",
    ),
    click.option("--domain", help="The domain of the zones; the source's own, when left out."),
    click.option("--principal", help="Who we are there, such as BETA$; else whoever has a ticket (kinit)."),
    click.option("--keytab", type=_FILE, help="Where the key of --principal is (mode 0600)."),
    click.option("--password-file", type=_FILE, help="Or where its password is (mode 0600)."),
    click.option("--ca-file", type=_FILE, help="Ask the directory over LDAPS, with a certificate of this authority."),
    click.option("--controller", "controllers", multiple=True, help="A domain controller; else DNS tells. Repeat it."),
    click.option(
        "--primary",
        "primaries",
        multiple=True,
        callback=_pairs,
        metavar="[ZONE=]SERVER",
        help="The server to write a zone (or all zones) on; else the SOA tells.",
    ),
    click.option("--client-server", help="The listed server to write wherever it holds the zone; else the SOA tells."),
    click.option(
        "--each-server", is_flag=True, help="The servers do not transfer from each other: write on each of them."
    ),
    click.option(
        "--tolerate-silent",
        is_flag=True,
        help="Succeed without the servers that do not answer, but for writers of a zone.",
    ),
    click.option(
        "--timeout", "timeout_s", type=click.FloatRange(0.1, 120), default=5.0, help="Seconds for one answer (5)."
    ),
    click.option(
        "--wait",
        "await_s",
        type=click.FloatRange(0, 600),
        default=20.0,
        help="Seconds for other servers to follow (20).",
    ),
    click.option("--undo-file", type=click.Path(path_type=Path, dir_okay=False), help="Where what was there is kept."),
    click.option(
        "--log",
        "log_file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Log file (at 1 MB it is kept as .prev.log and begun anew).",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
    click.option("--verbose", is_flag=True, help="Print every record set on every server."),
)
SUBJECT = _stacked(
    click.option("--source-name", required=True, help="The full name of the server whose records move."),
    click.option("--source-ip", "source_ips", multiple=True, help="An address of the source; repeat it."),
    click.option("--target-ip", "target_ips", multiple=True, help="The address in its place, in the same order."),
    click.option(
        "--target-name", help="Let MX, SRV and CNAME records name this server; else they go on naming the source."
    ),
    click.option("--zone", "zones", multiple=True, help="A further zone to search."),
    click.option("--name", "names", multiple=True, help="A further name to look at where zones cannot be transferred."),
    click.option(
        "--account",
        help="The source's account, whose right to its names is taken in a directory; else the computer of that name.",
    ),
    click.option("--record-type", "types", multiple=True, callback=_types, help="Only these types (all)."),
)
