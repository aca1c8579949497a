"""The process of a simulated SQL Server.

    python -m tests.lab.sqlserver --root DIR --instance NAME --machine NAME --address A --port N ...

When it serves it says one JSON line on standard output ({"ready": true, "port": PORT}); ``--ready-file`` then exists, too.
SIGTERM ends it in good order, SIGKILL is a power cut. ``--instance`` and ``--port`` may be given several times: as many instances
in one process, each in a directory of its own below the root, with one SQL Browser for all.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.lab.sqldisk import Disk
from tests.lab.sqlserver.browser import Browser, write_entry
from tests.lab.sqlserver.engine.port import InstanceDoesNotStart, Settings
from tests.lab.sqlserver.service import Service, ServiceSettings
from tests.lab.sqlserver.wire.principals import Accounts

TICK_S = 0.2


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="A simulated SQL Server. Nothing of SQL Server runs here.")
    parser.add_argument("--root", type=Path, required=True, help="directory of its files")
    parser.add_argument("--instance", action="append", help="MSSQLSERVER is the default one; may be repeated")
    parser.add_argument("--machine", default="ALPHA", help="computer name")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, action="append", help="one an instance; 0: any")
    parser.add_argument("--platform", choices=("linux", "windows"), default="linux")
    parser.add_argument("--version", default="2019", help="a year or a build")
    parser.add_argument("--edition", default="Developer Edition (64-bit)")
    parser.add_argument("--collation", default="SQL_Latin1_General_CP1_CI_AS")
    parser.add_argument("--domain", default="", help="NetBIOS name")
    parser.add_argument("--service-account", default="")
    parser.add_argument(
        "--volume", action="append", default=[], metavar="NAME=DIRECTORY", help="a reported path's place"
    )
    parser.add_argument("--data-path", default="", help="as reported")
    parser.add_argument("--log-path", default="", help="as reported")
    parser.add_argument("--sa-password-file", type=Path)
    parser.add_argument("--accounts", type=Path, help="JSON file, see wire/principals.py")
    parser.add_argument("--keytab", type=Path)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--force-encryption", action="store_true")
    parser.add_argument("--hidden", action="store_true", help="SQL Browser does not tell of it")
    parser.add_argument("--browser", default="", metavar="ADDRESS", help="answer as SQL Browser there")
    parser.add_argument("--browser-port", type=int, default=1434)
    parser.add_argument("--browser-entry", type=Path, help="file for a browser in a process of its own")
    parser.add_argument("--control", type=Path, help="the control socket, otherwise control.sock in the root")
    parser.add_argument("--ready-file", type=Path)
    parser.add_argument("--disk", type=Path, help="the socket of the machine's disk, see tests/lab/sqldisk.py")
    return parser


def _settings(given: argparse.Namespace, name: str, port: int, accounts: Accounts) -> ServiceSettings:
    alone = len(given.instance) == 1
    optional: dict[str, Any] = {"writing": Disk(given.disk).writing} if given.disk else {}
    engine = Settings(
        root=given.root if alone else given.root / name,
        name=name,
        machine=given.machine,
        platform=given.platform,
        version=given.version,
        edition=given.edition,
        collation=given.collation,
        sa_password=given.sa_password_file.read_text().rstrip("\n") if given.sa_password_file else None,
        address=given.address,
        port=port,
        domain=given.domain,
        service_account=given.service_account,
        volumes={one: Path(place) for one, _, place in (volume.partition("=") for volume in given.volume)},
        data_path=given.data_path,
        log_path=given.log_path,
        account_sid=accounts.sid_of,
        **optional,
    )
    return ServiceSettings(
        engine,
        accounts,
        given.keytab,
        given.certificate,
        given.key,
        given.force_encryption,
        given.hidden,
        given.control if alone else None,
    )


def _start(given: argparse.Namespace, stack: ExitStack) -> list[Service]:
    accounts = Accounts(given.accounts, ask_winbind=given.keytab is not None)
    services = []
    for name, port in zip(given.instance, given.port, strict=True):
        settings = _settings(given, name, port, accounts)
        settings.engine.root.mkdir(parents=True, exist_ok=True)
        service = Service(settings)
        stack.callback(service.close)
        services.append(service)
    accounts.tell_ntlm(given.root)
    if given.browser:
        browser = Browser(given.browser, lambda: [one.entry() for one in services], given.browser_port)
        stack.callback(browser.close)
    if given.browser_entry:
        write_entry(given.browser_entry, services[0].entry())
        stack.callback(given.browser_entry.unlink, missing_ok=True)
    return services


def _say_ready(given: argparse.Namespace, services: list[Service]) -> None:
    ports = {one.instance.name: one.port for one in services}
    line = json.dumps({"ready": True, "simulation": True, "port": services[0].port, "ports": ports}) + "\n"
    if given.ready_file:
        given.ready_file.write_text(line)
    sys.stdout.write(line)
    sys.stdout.flush()


def main() -> int:
    """From the command line; 1 when an instance does not start."""
    given = _arguments().parse_args()
    given.instance = given.instance or ["MSSQLSERVER"]
    given.port = given.port or [1433] * len(given.instance)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    for chatty in ("spnego", "sqlglot"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    if given.disk:
        Disk(given.disk).watch()
    with ExitStack() as stack:
        try:
            services = _start(given, stack)
        except InstanceDoesNotStart as reason:
            sys.stderr.write(f"{reason}\n")
            return 1
        _say_ready(given, services)
        while not over.wait(TICK_S):
            if all(one.instance.stopping for one in services):
                break
    return 0


if __name__ == "__main__":
    sys.exit(main())
