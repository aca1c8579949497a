"""How a command gets into a domain: options that become one ``DirectoryAccess``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from orchestrator.directory.errors import AccessInvalid
from orchestrator.directory.locating import default_domain
from orchestrator.directory.port import DirectoryAccess

Command = TypeVar("Command", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path)
_FIELDS = ("domain", "controllers", "principal", "keytab", "password_file", "ca_file", "dns_servers", "timeout_s")


def directory_options(command: Command) -> Command:
    """The options of a command that reads or writes a domain, gathered into one ``access``."""

    @functools.wraps(command)
    def gathered(*words: Any, **given: Any) -> Any:
        access = _access({field: given.pop(field) for field in _FIELDS})
        return command(*words, access=access, **given)

    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered  # type: ignore[return-value]  # wraps keeps the shape


def _access(given: dict[str, Any]) -> DirectoryAccess:
    domain = given.pop("domain") or default_domain()
    if domain is None:
        raise AccessInvalid(
            reason="no domain is given, and this machine has none of its own", advice="add: --domain NAME"
        )
    if given["principal"] and not (given["keytab"] or given["password_file"]):
        raise AccessInvalid(
            reason=f"neither a keytab nor a password file is given for {given['principal']}",
            advice="add --keytab or --password-file; or leave the principal out, and run kinit before",
        )
    return DirectoryAccess(domain=domain, **given)


_OPTIONS = (
    click.option("--domain", metavar="NAME", help="The domain's DNS name; without it, that of this machine."),
    click.option(
        "--controller",
        "controllers",
        multiple=True,
        metavar="HOST",
        help="A domain controller to use; without it, those that DNS lists.",
    ),
    click.option(
        "--principal",
        metavar="USER",
        help="Who asks: user@domain, DOMAIN\\user or COMPUTER$; without it, the owner of the ticket cache (kinit).",
    ),
    click.option("--keytab", type=_FILE, help="The principal's keytab, of mode 0600."),
    click.option(
        "--password-file", type=_FILE, help="A file of mode 0600 whose first line is the principal's password."
    ),
    click.option(
        "--ca-file", type=_FILE, help="Use LDAPS, and this authority for its certificate, instead of Kerberos sealing."
    ),
    click.option(
        "--dns-server", "dns_servers", multiple=True, metavar="ADDRESS", help="Ask this DNS server for controllers."
    ),
    click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(0.1, 300),
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="For one answer of a controller.",
    ),
)
