"""dfo: moves a server's DNS records to another server and puts them back; what the failover scripts call.

One deed a command, each safe to run twice. It decides nothing: words become a ``Move`` and an ``Access`` for
``orchestrator.naming``, and its report becomes lines, a log, JSON and an exit code.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.dfo_options import REACH, SUBJECT, one_server, servers, split_words
from orchestrator.cli.dfo_words import translated
from orchestrator.cli.guard import home_directory, run_guarded
from orchestrator.cli.rotating import rotating, send
from orchestrator.directory.port import DirectoryAccess
from orchestrator.naming.keys import Key, read_key
from orchestrator.naming.report import Outcome, Report, State
from orchestrator.naming.request import Access, Move, address_map, server_name
from orchestrator.naming.service import DnsNameService
from orchestrator.naming.values import NameServer

log = logging.getLogger("dtam.dfo")

EXAMPLES = """
\b
Examples:
  dfo list     --source-name alpha.lab.example --source-ip 10.0.0.10 --server 10.0.0.5
  dfo test     --source-name alpha.lab.example --source-ip 10.0.0.10 --target-ip 10.0.0.20 \\
               --server 10.0.0.5 --key-file /etc/dtam/dns.key
  dfo failover --source-name alpha.lab.example --source-ip 10.0.0.10 --target-ip 10.0.0.20 \\
               --target-name beta.lab.example --server 10.0.0.5 --server 10.0.0.6 --key-file /etc/dtam/dns.key
  dfo failback --source-name alpha.lab.example --server 10.0.0.5 --server 10.0.0.6 --key-file /etc/dtam/dns.key
  dfo failover --source-name alpha.lab.example --source-ip 10.0.0.10 --target-ip 10.0.0.20 --server 10.0.0.5 \\
               --kerberos --principal 'BETA$' --keytab /etc/krb5.keytab
\b
The switches of old are understood too:
  dfo /dnssrvname 10.0.0.5 /srcname alpha.lab.example /srcip 10.0.0.10 /tarip 10.0.0.20 --key-file /etc/dtam/dns.key
\b
Exit codes: 0 done; 2 usage; 29, 35, 39-49, 78 DNS (docs/reference/dfo.md); 48 done in part: mend what is named and run it again.
"""


@click.group(epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
def dfo() -> None:
    """Move a server's DNS records (A, AAAA, PTR, MX, SRV, CNAME) to another server, and put them back exactly."""


@dfo.command("list", epilog=EXAMPLES)
@SUBJECT
@REACH
def list_records(**given: Any) -> None:
    """Show every record of the source; change nothing."""
    given["verbose"] = True
    _run(given, lambda service, _undo: service.find(_move(given, need_targets=False)))


@dfo.command(epilog=EXAMPLES)
@SUBJECT
@REACH
def test(**given: Any) -> None:
    """Prove servers, zones, key and rights for every record, without changing any."""
    _run(given, lambda service, _undo: service.test(_move(given)))


@dfo.command(epilog=EXAMPLES)
@SUBJECT
@REACH
@click.option("--ttl", "ttl_s", type=click.IntRange(0, 604800), help="TTL in seconds for the moved records (theirs).")
@click.option("--test", "only_test", is_flag=True, help="Prove that it would succeed; change nothing.")
@click.option("--plan", "--dry-run", "only_plan", is_flag=True, help="Show what would be changed; change nothing.")
def failover(*, only_test: bool, only_plan: bool, **given: Any) -> None:
    """Lead the source's names to the target. Run again after a failure: it finishes."""

    def deed(service: DnsNameService, undo: Path) -> Report:
        move = _move(given)
        if only_test:
            return service.test(move)
        return service.plan(move, undo) if only_plan else service.failover(move, undo)

    _run(given, deed)


@dfo.command(epilog=EXAMPLES)
@click.option("--source-name", help="The server whose records come back (or give --undo-file).")
@click.option("--source-ip", "source_ips", multiple=True, help="Accepted for old scripts; the undo file knows it.")
@click.option("--target-ip", "target_ips", multiple=True, help="Accepted for old scripts; the undo file knows it.")
@click.option("--target-name", help="Accepted for old scripts; the undo file knows it.")
@click.option("--test", "only_test", is_flag=True, help="Prove that it would succeed; change nothing.")
@click.option("--plan", "--dry-run", "only_plan", is_flag=True, help="Show what would be put back; change nothing.")
@REACH
def failback(*, only_test: bool, only_plan: bool, **given: Any) -> None:
    """Put every record back as it was: type, data, TTL."""

    def deed(service: DnsNameService, undo: Path) -> Report:
        if only_test or only_plan:
            return service.rehearse_failback(undo, prove=only_test)
        return service.failback(undo)

    _run(given, deed)


@dfo.command(epilog=EXAMPLES)
@SUBJECT
@REACH
@click.option("--ttl", "ttl_s", type=click.IntRange(0, 604800), help="The TTL in seconds; 300 or less is recommended.")
@click.option("--restore", is_flag=True, help="Give every record the TTL it had before.")
def ttl(*, restore: bool, ttl_s: int | None, **given: Any) -> None:
    """Lower the TTL of the source's records while it is protected, and put it back."""
    if restore == (ttl_s is not None):
        raise click.UsageError("give either --ttl SECONDS or --restore")

    def deed(service: DnsNameService, undo: Path) -> Report:
        if ttl_s is None:
            return service.restore_ttl(undo)
        return service.set_ttl(_move(given, need_targets=False), ttl_s, undo)

    _run(given, deed, kind="ttl")


@dfo.command(epilog=EXAMPLES)
@SUBJECT
@click.option(
    "--source-key-file", type=click.Path(path_type=Path), multiple=True, help="A key that the source holds; repeat it."
)
@click.option("--test", "only_test", is_flag=True, help="Prove that it would succeed; change nothing.")
@REACH
def lock(*, source_key_file: Sequence[Path], only_test: bool, **given: Any) -> None:
    """Take the source's right to its records in a directory; elsewhere prove that it has none, unsigned or with its keys."""
    keys = [read_key(path) for path in source_key_file]

    def deed(service: DnsNameService, undo: Path) -> Report:
        move = _move(given, need_targets=False)
        return service.test(move) if only_test else service.lock(move, keys, undo)

    _run(given, deed)


@dfo.command(epilog=EXAMPLES)
@SUBJECT
@REACH
def unlock(**given: Any) -> None:
    """Give the source its right back, as lock or failover found it."""
    _run(given, lambda service, undo: service.unlock(undo))


@dfo.command(epilog=EXAMPLES)
@click.option("--source-name", help="The server whose records lead elsewhere (or give --undo-file).")
@REACH
def refresh(**given: Any) -> None:
    """Register what a failover wrote again, so that scavenging never takes it."""
    _run(given, lambda service, undo: service.refresh(undo))


@dfo.command()
@click.option("--source-name", "name", required=True, help="The name that clients use.")
@click.option("--server", "servers", multiple=True, callback=servers, help="A DNS server to resolve it at; repeat it.")
@click.option("--url", default="", help="Ask this URL at the address found; its host is sent as the name.")
@click.option("--tcp-port", type=click.IntRange(1, 65535), help="Or only connect to this port.")
@click.option("--expect", default="", help="Text that the answer must hold.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(0.1, 120), default=5.0, help="Seconds for one answer (5)."
)
@click.option(
    "--budget", "budget_s", type=click.FloatRange(0, 3600), default=30.0, help="Seconds to go on asking (30)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.argument("command", nargs=-1)
def ask(
    *,
    name: str,
    command: tuple[str, ...],
    servers: tuple[NameServer, ...],
    url: str,
    tcp_port: int | None,
    expect: str,
    timeout_s: float,
    budget_s: float,
    as_json: bool,
) -> None:
    """Ask the application through the name that clients use, until it answers.

    Instead of a URL or a port, a COMMAND may ask (after --); {name} and {address} in its words are filled in.
    """
    if [bool(url), tcp_port is not None, bool(command)].count(True) != 1:
        raise click.UsageError("give one of --url, --tcp-port and a command")
    from orchestrator.cli.dfo_ask import ask_until_served  # noqa: PLC0415  the other deeds need no HTTP client
    from orchestrator.model.ports import HealthProbe  # noqa: PLC0415

    probe = HealthProbe(
        name=server_name(name).rstrip("."), url=url, command=command, expect=expect, timeout_s=timeout_s
    )
    says = ask_until_served(servers, probe, budget_s, tcp_port)
    click.echo(json.dumps({"ok": True, "says": says}) if as_json else says)


def _move(given: dict[str, Any], *, need_targets: bool = True) -> Move:
    sources, targets = split_words(given["source_ips"]), split_words(given["target_ips"])
    if need_targets and not sources:
        raise click.UsageError("give --source-ip and --target-ip")
    pairs = (
        address_map(tuple(sources), tuple(targets)) if targets or need_targets else tuple((one, one) for one in sources)
    )
    target_name = given.get("target_name")
    return Move(
        source_name=server_name(given["source_name"]),
        addresses=pairs,
        target_name=server_name(target_name) if target_name else None,
        zones=tuple(f"{zone.rstrip('.')}." for zone in split_words(given["zones"])),
        names=tuple(f"{name.rstrip('.')}." for name in split_words(given["names"])),
        ttl_s=given.get("ttl_s"),
        types=given["types"],
        account=given["account"],
    )


def _access(given: dict[str, Any]) -> Access:
    if not given["servers"]:
        raise click.UsageError("give the address of at least one DNS server with --server")
    return Access(
        servers=given["servers"],
        keys=tuple(_key(text) for text in given["key_files"]),
        unsigned=given["unsigned"],
        kerberos=_kerberos(given),
        preferred=one_server(given["client_server"]) if given["client_server"] else None,
        primaries=tuple((zone, one_server(server)) for zone, server in given["primaries"]),
        each_server=given["each_server"],
        tolerate_silent=given["tolerate_silent"],
        timeout_s=given["timeout_s"],
        await_s=given["await_s"],
    )


_KERBEROS_ONLY = ("domain", "principal", "keytab", "password_file", "ca_file", "controllers")


def _kerberos(given: dict[str, Any]) -> DirectoryAccess | None:
    """How to get into the domain; the resolvers are those of the listed servers that listen where resolvers ask."""
    if not given["kerberos"]:
        stray = next((word for word in _KERBEROS_ONLY if given[word]), None)
        if stray is not None:
            raise click.UsageError(f"--{stray.rstrip('s').replace('_', '-')} belongs to --kerberos")
        return None
    if not given["domain"] and not given.get("source_name"):
        raise click.UsageError("give --domain or --source-name")
    return DirectoryAccess(
        domain=given["domain"] or server_name(given["source_name"]).rstrip(".").partition(".")[2],
        controllers=given["controllers"],
        principal=given["principal"],
        keytab=given["keytab"],
        password_file=given["password_file"],
        ca_file=given["ca_file"],
        dns_servers=tuple(server.address for server in given["servers"] if server.port == 53),
        timeout_s=given["timeout_s"],
    )


def _key(text: str) -> tuple[str, Key]:
    """A key and the server it is for; a path may hold an equals sign, an address never does."""
    server, equals, path = text.partition("=")
    if equals and server and "/" not in server:
        return (str(one_server(server)), read_key(Path(path)))
    return ("", read_key(Path(text)))


def _undo_path(given: dict[str, Any], kind: str) -> Path:
    if given["undo_file"] is not None:
        return Path(given["undo_file"])
    if not given.get("source_name"):
        raise click.UsageError("give --source-name or --undo-file")
    name = server_name(given["source_name"]).rstrip(".").lower()
    return home_directory() / "names" / f"{name}.{kind}.json"


def _run(given: dict[str, Any], deed: Callable[[DnsNameService, Path], Report], kind: str = "undo") -> None:
    _open_log(given["log_file"])
    log.info("dfo %s", " ".join(sys.argv[1:]))
    service = DnsNameService(_access(given))
    report = deed(service, _undo_path(given, kind))
    _write_log(report)
    if given["as_json"]:
        click.echo(json.dumps(report.facts(), indent=2))
    else:
        _print(report, verbose=given["verbose"])
    error = report.error
    if error is None:
        return
    if given["as_json"]:
        raise click.exceptions.Exit(error.exit_code)
    raise error


def _print(report: Report, *, verbose: bool) -> None:
    diff = report.changes.diff()
    if diff:
        click.echo(diff)
    for outcome in report.outcomes:
        if verbose or outcome.state in (State.FAILED, State.SKIPPED):
            click.echo(_line(outcome))
    for remark in report.remarks:
        click.echo(f"note: {remark}")
    click.echo(report.sentence())


def _line(outcome: Outcome) -> str:
    return f"{outcome.state:>8}  {outcome.says}"


def _open_log(path: Path | None) -> None:
    place = path or home_directory() / "log" / "dfo.log"
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.touch(0o600)
        handler = rotating(place, shared=True)
    except OSError as error:
        if path is not None:
            raise click.UsageError(f"the log {path} cannot be written: {error.strerror}") from None
        return
    send(log, [handler])


def _write_log(report: Report) -> None:
    for line in report.changes.diff().splitlines():
        log.info("%s", line)
    for outcome in report.outcomes:
        level = logging.ERROR if outcome.state is State.FAILED else logging.INFO
        log.log(level, "%s", _line(outcome).strip())
    for remark in report.remarks:
        log.warning("%s", remark)
    log.info("%s", report.sentence())


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point ``dfo``."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    given: list[object] = []
    code = run_guarded(
        lambda: given.append(dfo.main(args=translated(words), prog_name="dfo", standalone_mode=False)),
        as_json="--json" in words,
        program="dfo",
    )
    sys.exit(code or next((one for one in given if isinstance(one, int)), 0))


if __name__ == "__main__":
    main()
