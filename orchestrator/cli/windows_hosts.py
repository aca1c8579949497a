"""Knowing a Windows server and laying its scripts: what ``dtam hosts add --winrm``, ``install`` and ``remove`` do for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from orchestrator.cli.accounts import remember_password
from orchestrator.cli.desk import Desk
from orchestrator.cli.screen import Screen, confirm
from orchestrator.errors import DtamError
from orchestrator.hosts.errors import ServerDiffers
from orchestrator.hosts.winrm_laying import PLACE, addresses_of, computer_of, greet, lay, looked, take_away
from orchestrator.model.accounts import AccountName
from orchestrator.model.servers import (
    WINRM_PORT,
    WINRM_TLS_PORT,
    Server,
    ServerName,
    Transport,
    WinRmAddress,
)

Command = TypeVar("Command", bound=Callable[..., Any])
WITH_PASSWORD = {Transport.NTLM, Transport.BASIC_HTTPS}


@dataclass(frozen=True, slots=True)
class WinRmChoice:
    """How a person wants to reach a Windows server, as they gave it."""

    winrm: str | None = None
    transport: str = Transport.KERBEROS.value
    account: str | None = None
    winrm_port: int | None = None
    https: bool = False
    ca_file: Path | None = None
    host_name: str | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def address(self, principal: str | None, keytab: Path | None) -> WinRmAddress:
        """The way as it is kept with the server.

        Raises:
            UsageError: options that exclude each other, or belong together. AccountInvalid: what was given is no name.
        """
        transport = Transport(self.transport)
        self._refuse(transport, principal, keytab)
        tls = self.https or transport in {Transport.BASIC_HTTPS, Transport.CERTIFICATE} or self.ca_file is not None
        return WinRmAddress(
            address=self.winrm or "",
            port=self.winrm_port or (WINRM_TLS_PORT if tls else WINRM_PORT),
            transport=transport,
            tls=tls,
            account=AccountName.parse(self.account).written if self.account else "",
            host_name=self.host_name or "",
            principal=principal,
            keytab=_full(keytab),
            ca_file=_full(self.ca_file),
            certificate_file=_full(self.certificate_file),
            key_file=_full(self.key_file),
        )

    def _refuse(self, transport: Transport, principal: str | None, keytab: Path | None) -> None:
        wrong = [
            ("--account is needed with this transport", transport in WITH_PASSWORD and not self.account),
            ("--keytab and --principal belong together", (keytab is None) != (principal is None)),
            ("--keytab and --account exclude each other", keytab is not None and self.account is not None),
            ("--keytab is for Kerberos", keytab is not None and transport is not Transport.KERBEROS),
            (
                "--certificate-file and --key-file belong to --transport certificate",
                (self.certificate_file is None or self.key_file is None) == (transport is Transport.CERTIFICATE),
            ),
        ]
        for sentence, holds in wrong:
            if holds:
                raise click.UsageError(sentence)


def _full(path: Path | None) -> str | None:
    return str(path.resolve()) if path else None


def winrm_options(command: Command) -> Command:
    """``--winrm``, ``--transport``, ``--account``, ``--winrm-port``, ``--https``, ``--ca-file``, ``--host-name``, and a certificate's files."""
    file = click.Path(path_type=Path, exists=True, dir_okay=False)
    for add in reversed(
        (
            click.option("--winrm", metavar="ADDRESS", help="It runs Windows: where its WinRM is reached."),
            click.option(
                "--transport",
                type=click.Choice([one.value for one in Transport]),
                default=Transport.KERBEROS.value,
                show_default=True,
                help="How dtam logs in at WinRM.",
            ),
            click.option("--account", metavar="DOMAIN\\USER", help="Whose password is asked for and kept sealed."),
            click.option(
                "--winrm-port", type=click.IntRange(1, 65535), help=f"{WINRM_PORT}, or {WINRM_TLS_PORT} with HTTPS."
            ),
            click.option("--https", is_flag=True, help="Reach it by HTTPS, whose certificate is verified."),
            click.option("--ca-file", type=file, help="The authority that signed its certificate; means --https."),
            click.option(
                "--host-name", metavar="FQDN", help="Its full name in the domain, where the address is another."
            ),
            click.option("--certificate-file", type=file, help="A client certificate, PEM."),
            click.option("--key-file", type=file, help="Its key, PEM, of mode 0600."),
        )
    ):
        command = add(command)
    return command


def know_windows(desk: Desk, screen: Screen, name: str, address: WinRmAddress, password_file: Path | None) -> None:
    """Log in at a Windows server and keep it under this name.

    Raises:
        ServerDiffers: another server is known by this name. DtamError: it cannot be reached, or does not let us in.
    """
    known = desk.pipeline.store.server(name)
    if known is not None and known.winrm is None:
        raise ServerDiffers(server=known.name, where=known.reached_at, fingerprint="of an engine")
    server = Server(ServerName(name), (), winrm=address)
    with _password(desk, server, password_file):
        caller = desk.pipeline.reach.caller(server)
        named = msgspec.structs.replace(address, computer=computer_of(caller))
        server = msgspec.structs.replace(server, addresses=addresses_of(server, caller), winrm=named)
        _, says = greet(server, caller)
    desk.pipeline.know(server)
    screen.say(f"{name} is known at {address.url}, addresses {', '.join(server.addresses)}: {says}")
    screen.document(windows_document(server, says))


@contextmanager
def _password(desk: Desk, server: Server, file: Path | None) -> Iterator[None]:
    """A password that was asked for now is forgotten when it is not right."""
    address = server.own_winrm
    if not address.account:
        yield
        return
    remember_password(desk.pipeline.credentials, address.account, server.name, file)
    try:
        yield
    except DtamError:
        desk.pipeline.credentials.clear(address.account, server.name)
        raise


def install_windows(desk: Desk, screen: Screen, server: Server, *, yes: bool, only_plan: bool) -> None:
    """Show every script with its digest, and lay what is missing or changed.

    Raises:
        NotConfirmed: a person said no. DtamError: the host refused.
    """
    caller = desk.pipeline.reach.caller(server)
    found = looked(caller)
    screen.table(("script", "on the host", "SHA-256"), [(one.name, one.state, one.sha256) for one in found])
    rows = [{"name": one.name, "state": one.state, "sha256": one.sha256} for one in found]
    if only_plan:
        screen.say(f"what is missing or changed would be laid below {PLACE}, and the guard of leases started")
        screen.document({"name": server.name, "installed": False, "scripts": rows})
        return
    confirm(f"Lay these scripts below {PLACE} on {server.name}?", what=f"the scripts of {server.name}", yes=yes)
    done = lay(caller)
    server = msgspec.structs.replace(server, addresses=addresses_of(server, caller))
    desk.pipeline.know(server)
    desk.pipeline.store.audit(desk.pipeline.by, "", "hosts install", f"{len(done)} scripts laid on {server.name}")
    screen.say(f"{len(done)} scripts were laid on {server.name}, {len(rows) - len(done)} were there already")
    screen.document({"name": server.name, "installed": True, "laid": list(done), "scripts": rows})


def uninstall_windows(desk: Desk, screen: Screen, server: Server, *, only_plan: bool) -> None:
    """Take the scripts away from a host; what protections keep there stays.

    Raises:
        DtamError: the host refused.
    """
    if only_plan:
        screen.say(f"the scripts below {PLACE} and the guard of leases would be removed from {server.name}")
        return
    take_away(desk.pipeline.reach.caller(server))
    screen.say(f"the scripts are gone from {server.name}; what protections keep below ProgramData\\dtam stays")


def windows_document(server: Server, says: str = "") -> dict[str, Any]:
    """A Windows server for programs."""
    document = {
        "name": server.name,
        "addresses": list(server.addresses),
        "platform": server.platform.value,
        "winrm": msgspec.to_builtins(server.own_winrm),
    }
    return document | ({"says": says} if says else {})
