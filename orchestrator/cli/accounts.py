"""How a person gives an account at an engine: its name as an option, its password asked on the terminal or read from a file.

A password is never an argument, and no message holds one.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from orchestrator.cli.errors import AnswerNeeded
from orchestrator.errors import DtamError
from orchestrator.model.accounts import LENGTH_MAX, AccountName, domain_problem
from orchestrator.model.errors import AccountInvalid
from orchestrator.model.servers import EngineAccount
from orchestrator.store.credentials import CredentialCache
from orchestrator.store.errors import CredentialUnusable

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class LoginChoice:
    """How a person wants to log in at an engine, as they gave it."""

    user: str | None = None
    password_file: Path | None = None
    kerberos: str | None = None
    principal: str | None = None
    keytab: Path | None = None

    def account(self) -> EngineAccount | None:
        """The account as it is kept with the server; None when none was given.

        Raises:
            UsageError: options that exclude each other. AccountInvalid: what was given is no name.
        """
        if self.user is not None and self.kerberos is not None:
            msg = "--user and --kerberos exclude each other"
            raise click.UsageError(msg)
        if self.user is not None:
            return EngineAccount(user=AccountName.parse(self.user).written)
        if self.kerberos is None:
            return None
        if why := domain_problem(self.kerberos):
            raise AccountInvalid(name=self.kerberos, why=f"a host's full name is needed: {why}")
        if (self.keytab is None) != (self.principal is None):
            msg = "--keytab and --principal belong together"
            raise click.UsageError(msg)
        keytab = str(self.keytab.resolve()) if self.keytab else None
        return EngineAccount(kerberos_host=self.kerberos, principal=self.principal, keytab=keytab)


def login_options(command: Command) -> Command:
    """``--user``, ``--password-file``, ``--kerberos``, ``--principal``, ``--keytab``."""
    file = click.Path(path_type=Path)
    for add in reversed(
        (
            click.option(
                "--user", metavar="ACCOUNT", help="Log in as USER, DOMAIN\\USER or USER@DOMAIN instead of by token."
            ),
            click.option(
                "--password-file", type=file, help="A file of mode 0600 with its password; asked for when not given."
            ),
            click.option(
                "--kerberos", metavar="FQDN", help="Log in by Kerberos ticket; the host's full name in the domain."
            ),
            click.option("--principal", help="Whose tickets, with --keytab; the ticket cache's when not given."),
            click.option("--keytab", type=file, help="A keytab of mode 0600 with that principal's key."),
        )
    ):
        command = add(command)
    return command


def remember_password(cache: CredentialCache, account: str, server: str, password_file: Path | None) -> None:
    """Ask for an account's password, or read it, and keep it sealed.

    Raises:
        AnswerNeeded: there is nobody to ask. CredentialUnusable: the file is not fit, or nothing can be kept.
    """
    cache.remember(account, server, _password(account, password_file))


@contextmanager
def new_password(
    cache: CredentialCache, account: EngineAccount | None, server: str, password_file: Path | None
) -> Iterator[None]:
    """The password of an account at a server is remembered from here on, and forgotten when the block fails: it was not right."""
    if account is None or not account.user:
        yield
        return
    remember_password(cache, account.user, server, password_file)
    try:
        yield
    except DtamError:
        cache.clear(account.user, server)
        raise


def _password(account: str, file: Path | None) -> str:
    if file is not None:
        return _fit(account, _read(account, file))
    if not sys.stdin.isatty():
        raise AnswerNeeded(what=f"the password of {account}", flag="--password-file")
    return _fit(account, click.prompt(f"Password of {account}", hide_input=True, err=True))


def _fit(account: str, password: str) -> str:
    if not password or len(password) > LENGTH_MAX or "\0" in password:
        why = f"a password has 1 to {LENGTH_MAX} characters"
        raise CredentialUnusable(account=account, why=why, advice="give another one")
    return password


def _read(account: str, path: Path) -> str:
    """The first line of a file that nobody else can read."""
    advice = f"keep the password in a file of mode 0600: chmod 600 {path}"
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.readline(10_000).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = f"{path}: {error.strerror if isinstance(error, OSError) else 'it is not UTF-8 text'}"
        raise CredentialUnusable(account=account, why=why, advice=advice) from None
    if mode & 0o077:
        raise CredentialUnusable(account=account, why=f"others can read {path} (mode {mode:04o})", advice=advice)
    return text
