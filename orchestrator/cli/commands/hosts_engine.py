"""``dtam hosts install | upgrade | remove | package``: the engine comes to a host, is renewed there, and goes.

dtam hosts install alpha --ssh root@192.0.2.10
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from orchestrator.cli.desk import Desk
from orchestrator.cli.errors import AnswerNeeded
from orchestrator.cli.examples import Command
from orchestrator.cli.options import json_option, plan_option, yes_option
from orchestrator.cli.pairing import (
    confirm_fingerprint,
    know,
    own_token_file,
    plain_fingerprint,
    refuse_another,
    server_document,
)
from orchestrator.cli.quiet import quiet
from orchestrator.cli.screen import Screen, confirm
from orchestrator.cli.windows_hosts import install_windows, uninstall_windows
from orchestrator.hosts.debian import as_debian_package
from orchestrator.hosts.errors import FingerprintDiffers, PackageNotWritten
from orchestrator.hosts.installing import Installer, Line, Way
from orchestrator.hosts.package import Package, build_package
from orchestrator.hosts.reach import shown_fingerprint
from orchestrator.model.servers import CONTROL_PORT, EngineAddress, Platform, Server

Wrapped = TypeVar("Wrapped", bound=Callable[..., Any])
MARKS = {"note": "warning"}


def way_options(command: Wrapped) -> Wrapped:
    """``--ssh``, ``--ssh-config`` and ``--local``: the way to the host's shell."""
    local = click.option("--local", is_flag=True, help="The host is this machine: no ssh.")
    config = click.option(
        "--ssh-config",
        type=click.Path(path_type=Path, exists=True),
        help="A configuration file for ssh, instead of yours.",
    )
    ssh = click.option(
        "--ssh",
        metavar="[USER@]HOST",
        help="How ssh gets there; with keys, never with a password. Not root: sudo -n is used.",
    )
    return ssh(config(local(command)))


@click.command(
    "install",
    cls=Command,
    examples=(
        "dtam hosts install alpha --address 192.0.2.10 --print",
        "dtam hosts install alpha --ssh root@192.0.2.10 --plan",
        "dtam hosts install alpha --ssh root@192.0.2.10",
        "dtam hosts install beta --local --address 192.0.2.20 --yes",
        "dtam hosts install wsrc --plan",
    ),
)
@click.argument("name")
@click.option("--address", help="Where the engine is to be reached; the host of --ssh when not given.")
@way_options
@click.option(
    "--print", "only_print", is_flag=True, help="Print what a person types instead; so too without --ssh or --local."
)
@click.option("--listen", metavar="ADDRESS", help="The address that the engine listens on; all of them when not given.")
@click.option("--port", type=click.IntRange(1, 65535), help=f"Its control port, {CONTROL_PORT} when not given.")
@click.option("--data-port", type=click.IntRange(1, 65535), help="Its port for data, 6321 when not given.")
@click.option("--probe-port", type=click.IntRange(1, 65535), help="Its UDP port for probes, 6320 when not given.")
@click.option("--fingerprint", help="SHA-256 of the engine's certificate, where it is known; asked for when not given.")
@yes_option
@plan_option
@json_option
@click.pass_obj
def install(
    desk: Desk,
    *,
    name: str,
    address: str | None,
    ssh: str | None,
    ssh_config: Path | None,
    local: bool,
    only_print: bool,
    listen: str | None,
    port: int | None,
    data_port: int | None,
    probe_port: int | None,
    fingerprint: str | None,
    yes: bool,
    only_plan: bool,
    as_json: bool,
) -> None:
    """Install the engine on a host, start it, and know it by its certificate; on a known Windows server, lay the scripts. What is so stays."""
    screen = Screen(as_json)
    known = desk.pipeline.store.server(name)
    if known is not None and known.platform is Platform.WINDOWS:
        install_windows(desk, screen, known, yes=yes, only_plan=only_plan)
        return
    reached = _address(desk, name, address, ssh)
    package = build_package()
    if only_print or not (ssh or local):
        _print_by_hand(screen, package, name, reached)
        return
    installer = Installer(name, _way(ssh, ssh_config, local=local), _teller(screen))
    settings = {"name": name, "listen": listen, "port": port, "data-port": data_port, "probe-port": probe_port}
    facts = installer.install(package, settings, dry_run=only_plan)
    if only_plan:
        screen.say(f"then its certificate would be shown to you, and {name} would be known at {reached}")
        screen.document({"name": name, "release": package.release, "installed": False})
        return
    engine = EngineAddress(reached, int(facts["control_port"]), facts["fingerprint"])
    _confirm_engine(name, engine, fingerprint, yes=yes)
    refuse_another(desk.pipeline.store.server(name), engine.fingerprint)
    know(desk, screen, name, _with_token(desk, installer, package, name, engine))


@click.command(
    "upgrade",
    cls=Command,
    examples=("dtam hosts upgrade alpha --plan", "dtam hosts upgrade alpha --ssh admin@192.0.2.10"),
)
@click.argument("name")
@way_options
@plan_option
@json_option
@click.pass_obj
def upgrade(
    desk: Desk, *, name: str, ssh: str | None, ssh_config: Path | None, local: bool, only_plan: bool, as_json: bool
) -> None:
    """Bring the engine of a known server to this version. Captures go on; one that does not come up gives way to the one before."""
    screen = Screen(as_json)
    server = desk.pipeline.known(name)
    package = build_package()
    installer = Installer(name, _way(ssh or _root_at(server), ssh_config, local=local), _teller(screen))
    if only_plan:
        installer.install(package, {}, dry_run=True)
        screen.document({"name": name, "release": package.release, "installed": False})
        return
    with quiet(desk.pipeline, server, screen.say):
        facts = installer.install(package, {}, dry_run=False)
    if facts["fingerprint"] != server.own_engine.fingerprint:
        raise _differs(name, server.address, facts["fingerprint"], server.own_engine.fingerprint)
    desk.pipeline.store.audit(desk.pipeline.by, "", "hosts upgrade", f"{name} runs {package.release}")
    screen.say(f"{name} runs {package.release}, with the same certificate")
    screen.document(server_document(server) | {"release": package.release})


@click.command(
    "remove", cls=Command, examples=("dtam hosts remove alpha --yes", "dtam hosts remove alpha --uninstall --plan")
)
@click.argument("name")
@click.option(
    "--uninstall", is_flag=True, help="Take the engine away from the host, too; protected files stay as they are."
)
@way_options
@yes_option
@plan_option
@json_option
@click.pass_obj
def remove(
    desk: Desk,
    *,
    name: str,
    uninstall: bool,
    ssh: str | None,
    ssh_config: Path | None,
    local: bool,
    yes: bool,
    only_plan: bool,
    as_json: bool,
) -> None:
    """Know a server no more; refused while a protection uses it."""
    screen = Screen(as_json)
    server = desk.pipeline.known(name)
    desk.pipeline.refuse_if_used(server)
    question = f"Take the engine away from {server.name}, and forget it?" if uninstall else f"Forget {server.name}?"
    if not only_plan:
        confirm(question, what=f"forgetting {server.name}", yes=yes)
    if uninstall and server.platform is Platform.WINDOWS:
        uninstall_windows(desk, screen, server, only_plan=only_plan)
    elif uninstall:
        way = _way(ssh or _root_at(server), ssh_config, local=local)
        Installer(name, way, _teller(screen)).remove(build_package(), uninstall=True, dry_run=only_plan)
    if only_plan:
        screen.say(f"{server.name} would be known no more")
    else:
        desk.pipeline.forget(server)
        own_token_file(desk, name).unlink(missing_ok=True)
        screen.say(f"{server.name} is known no more")
    screen.document(server_document(server))


@click.command(
    "package",
    cls=Command,
    examples=("dtam hosts package --to dtam-engine.tar.gz", "dtam hosts package --deb --to dtam-engine.deb"),
)
@click.option("--to", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option("--deb", is_flag=True, help="A package for apt instead, with the same release in it.")
@json_option
@click.pass_obj
def package(desk: Desk, *, to: Path, deb: bool, as_json: bool) -> None:  # noqa: ARG001  the desk is given to all
    """Write the engine's package, for a host that ssh does not reach."""
    screen = Screen(as_json)
    made = build_package()
    content = as_debian_package(made) if deb else made.packed()
    try:
        to.write_bytes(content)
    except OSError as error:
        raise PackageNotWritten(path=to, why=error.strerror) from error
    screen.say(f"{to}: release {made.release}, {len(content) / 1e6:.1f} MB")
    screen.document({"file": str(to), "release": made.release, "bytes": len(content)})


def _way(ssh: str | None, config: Path | None, *, local: bool) -> Way:
    return Way() if local else Way(ssh or "", config)


def _root_at(server: Server) -> str:
    return f"root@{server.address}"


def _address(desk: Desk, name: str, address: str | None, ssh: str | None) -> str:
    """The address given, else the one that is known, else where ssh goes."""
    if address:
        return address
    known = desk.pipeline.store.server(name)
    if known is not None:
        return known.address
    if ssh:
        return ssh.rpartition("@")[2]
    raise AnswerNeeded(what=f"the address of {name}", flag="--address, or --ssh with the host")


def _teller(screen: Screen) -> Callable[[Line], None]:
    def tell(line: Line) -> None:
        place = f"{line.step}: " if line.step else ""
        screen.say(f"{line.word:8}{place}{line.says}", MARKS.get(line.word, ""))

    return tell


def _confirm_engine(name: str, engine: EngineAddress, expected: str | None, *, yes: bool) -> None:
    """The engine that answers at the address is the one that was installed, and a person knows it.

    Raises:
        HostSilent, FingerprintDiffers, FingerprintNeeded, NotConfirmed.
    """
    shown = shown_fingerprint(name, engine.address, engine.control_port)
    for wanted in (engine.fingerprint, plain_fingerprint(expected or engine.fingerprint)):
        if shown != wanted:
            raise _differs(name, f"{engine.address}:{engine.control_port}", shown, wanted)
    confirm_fingerprint(name, engine.address, engine.control_port, shown, yes=yes or expected is not None)


def _differs(name: str, where: str, shown: str, wanted: str) -> FingerprintDiffers:
    return FingerprintDiffers(server=name, where=where, shown=shown, fingerprint=wanted)


def _with_token(desk: Desk, installer: Installer, package: Package, name: str, engine: EngineAddress) -> EngineAddress:
    """The engine with a token of ours; the one that is known is kept."""
    known = desk.pipeline.store.server(name)
    kept = known.own_engine.token_file if known else None
    if kept and Path(kept).is_file():
        return EngineAddress(engine.address, engine.control_port, engine.fingerprint, kept)
    machine = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname().partition(".")[0])
    token = installer.token(package, f"dtam-{machine or 'here'}")
    file = own_token_file(desk, name)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(f"{token}\n", encoding="ascii")
    return EngineAddress(engine.address, engine.control_port, engine.fingerprint, str(file.resolve()))


BY_HAND = """\
# 1. here: the package, then bring it to {name}
dtam hosts package --to dtam-engine.tar.gz
scp dtam-engine.tar.gz root@{address}:/root/
# 2. on {name}, as root
cd /root && tar -xzf dtam-engine.tar.gz host/engine-host.sh
sh host/engine-host.sh install --package /root/dtam-engine.tar.gz --release {release} --name {name}
dtengine server
dtengine token create dtam --scope admin --to /root/{name}.token
# 3. here: fetch the token, and compare the fingerprint that is shown
scp root@{address}:/root/{name}.token . && chmod 600 {name}.token
dtam hosts add {name} --address {address} --token-file {name}.token
# 4. on {name}, as root: nothing of it is left
rm -r /root/dtam-engine.tar.gz /root/host /root/{name}.token
#
# All of it in one: dtam hosts install {name} --ssh root@{address}
# With another Python than here, or where an index of Python packages is near: pipx in place of the lines that begin with tar and sh
# in step 2; PATH_OF_DTAM is a wheel or a directory of the same version
#   cd /root && tar -xzf dtam-engine.tar.gz host
#   PIPX_HOME=/opt/dtam/pipx PIPX_BIN_DIR=/opt/dtam/current/bin pipx install PATH_OF_DTAM
#   cp -r host /opt/dtam/current/
#   install -d -m 700 /var/cache/dtam && install -m 700 host/capture/* /var/cache/dtam/
#   install -m 644 host/*.service /etc/systemd/system/ && install -m 644 host/dtam.pam /etc/pam.d/dtam
#   install -D -m 644 /dev/null /etc/dtam/dtengine.toml && ln -s /opt/dtam/current/bin/* /usr/local/bin/
#   for one in dtadmin dtmon; do groupadd --system $one && echo $one >>/opt/dtam/made-groups; done
#   systemctl daemon-reload && systemctl enable --now dtengine
# Its removal: sh host/engine-host.sh remove --uninstall"""


def _print_by_hand(screen: Screen, package: Package, name: str, address: str) -> None:
    lines = BY_HAND.format(name=name, address=address, release=package.release).splitlines()
    for line in lines:
        screen.say(line)
    screen.document({"name": name, "release": package.release, "commands": [one for one in lines if one[0] != "#"]})
