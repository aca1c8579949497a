"""``dtengine mounts | sets | connections | replicas``: what is captured, what belongs together, where it goes, what is kept here."""

from __future__ import annotations

import sys
from typing import Any, Literal

import click

from orchestrator.engine.cli.asking import Ask, asking
from orchestrator.engine.cli.line_commands import LEVELS
from orchestrator.engine.client import schema
from orchestrator.engine.control.schema_verify import VerifySchedule

MIRROR_KINDS = click.Choice(["full", "difference"])


@click.group()
def mounts() -> None:
    """The captured directories."""


@mounts.command("list")
@asking
def list_mounts(ask: Ask) -> None:
    """All captured directories."""
    ask.show_all(ask.engine.mounts(), ("path", "capture", "state", "committed_sequence", "says"))


@mounts.command("add")
@click.argument("path")
@click.option("--capture", type=click.Choice(["auto", "fuse", "watcher"]), default="auto", show_default=True)
@click.option("--memory-limit-bytes", type=int)
@click.option("--disk-limit-bytes", type=int)
@click.option("--minimum-free-bytes", type=int)
@click.option("--alert-percent", type=int, help="Tell the system log when so much of the disk queue is in use.")
@click.option("--disk-folder", help="Where the disk queue lies; in the engine's state directory when absent.")
@asking
def add_mount(ask: Ask, path: str, **limits: Any) -> None:
    """Capture a directory from now on; the same again changes its limits."""
    given = {name: value for name, value in limits.items() if value is not None}
    ask.show(ask.engine.mount(schema.MountRequest.model_validate({"path": path, **given})))


@mounts.command("remove")
@click.argument("path")
@asking
def remove_mount(ask: Ask, path: str) -> None:
    """Capture it no more."""
    ask.show(ask.engine.unmount(path))


@click.group()
def devices() -> None:
    """Loop devices over files in captured directories: what is written to them is replicated."""


@devices.command("list")
@asking
def list_devices(ask: Ask) -> None:
    """All of them."""
    ask.show_all(ask.engine.devices(), ("file", "device", "state", "says"))


@devices.command("add")
@click.argument("file")
@click.option("--device", default="", help="Always this one, such as /dev/loop7; the first free one when absent.")
@click.option("--offset-bytes", type=int, default=0, show_default=True, help="Where in the file the device begins.")
@asking
def add_device(ask: Ask, file: str, **settings: Any) -> None:
    """Attach a device to FILE, now and whenever the engine starts."""
    ask.show(ask.engine.add_device(schema.DeviceRequest.model_validate({"file": file, **settings})))


@devices.command("remove")
@click.argument("file")
@asking
def remove_device(ask: Ask, file: str) -> None:
    """Detach it and forget it; the file stays."""
    ask.show(ask.engine.remove_device(file))


@click.group()
def sets() -> None:
    """The replication sets."""


@sets.command("list")
@asking
def list_sets(ask: Ask) -> None:
    """All sets."""
    ask.show_all(ask.engine.replication_sets(), ("name", "root", "generation", "rules"))


@sets.command("add")
@click.argument("name")
@click.argument("root")
@click.option("--exclude", multiple=True, help="A path or wildcard below the root that is left out.")
@asking
def add_set(ask: Ask, name: str, root: str, exclude: tuple[str, ...]) -> None:
    """Make a set of everything below ROOT."""
    rules = [schema.Rule(), *(schema.Rule(path=path, include=False) for path in exclude)]
    ask.show(ask.engine.create_replication_set(schema.ReplicationSet(name=name, root=root, rules=rules)))


@sets.command("size")
@click.argument("name")
@asking
def set_size(ask: Ask, name: str) -> None:
    """Count the files of a set and their bytes."""
    ask.show(ask.engine.replication_set_size(name))


@sets.command("remove")
@click.argument("name")
@asking
def remove_set(ask: Ask, name: str) -> None:
    """Forget a set."""
    ask.show(ask.engine.delete_replication_set(name))


@click.group()
def connections() -> None:
    """The connections that start at this engine."""


@connections.command("list")
@asking
def list_connections(ask: Ask) -> None:
    """All connections."""
    columns = ("id", "replication_set", "target", "state", "mirror_state", "target_data_state", "lag_s", "last_error")
    ask.show_all(ask.engine.connections(), columns)


@connections.command("show")
@click.argument("key")
@asking
def show_connection(ask: Ask, key: str) -> None:
    """One connection, by number or key."""
    ask.show(ask.engine.connection(key))


@connections.command("add")
@click.argument("replication_set")
@click.argument("target")
@click.option("--to", "target_root", help="Where the data goes on the target; the same path when absent.")
@click.option("--mirror", "kind", type=MIRROR_KINDS, default="full", show_default=True)
@click.option("--checksum", is_flag=True, help="Send only differing blocks.")
@click.option("--no-mirror", is_flag=True, help="Do not mirror now.")
@click.option("--no-size", is_flag=True, help="Do not find out how much there is beside the mirror.")
@click.option("--no-remap-link", is_flag=True, help="Leave soft links into the set as they are.")
@click.option("--ignore-deletes", is_flag=True, help="Keep at the target what is deleted at the source.")
@click.option("--auto-remirror", type=click.Choice(["checksum", "difference", "full", "off"]), default="checksum")
@click.option("--compression", type=LEVELS, help="Of the way to the target's address; as it is when absent.")
@click.option("--simulate", is_flag=True, help="Send nothing, count everything.")
@click.option("--synchronous", is_flag=True, help="Answer a flush at the source when the target holds it.")
@click.option("--wait-s", type=float, default=10.0, show_default=True, help="How long a flush may wait for the target.")
@click.option("--when-late", type=click.Choice(["continue", "wait"]), default="continue", show_default=True)
@asking
def add_connection(ask: Ask, replication_set: str, target: str, target_root: str | None, **mirror: Any) -> None:
    """Connect a set to a target."""
    mapping = schema.Mapping(kind="custom", target_root=target_root) if target_root else schema.Mapping()
    request = schema.ConnectionRequest(
        replication_set=replication_set,
        target=target,
        mapping=mapping,
        start_mirror=not mirror["no_mirror"],
        remap_link=not mirror["no_remap_link"],
        calculate_size=not mirror["no_size"],
        mirror=schema.MirrorOptions(kind=mirror["kind"], checksum=mirror["checksum"]),
        ignore_deletes=mirror["ignore_deletes"],
        auto_remirror=mirror["auto_remirror"] != "off",
        auto_remirror_kind="checksum" if mirror["auto_remirror"] == "off" else mirror["auto_remirror"],
        compression=mirror["compression"],
        simulate=mirror["simulate"],
        mode="synchronous" if mirror["synchronous"] else "asynchronous",
        synchronous_wait_s=mirror["wait_s"],
        when_late=mirror["when_late"],
    )
    ask.show(ask.engine.connect(request))


@connections.command("change")
@click.argument("key")
@click.option("--mode", type=click.Choice(["asynchronous", "synchronous"]), help="How flushes are answered.")
@click.option("--wait-s", "synchronous_wait_s", type=float, help="How long a flush may wait for the target.")
@click.option("--when-late", type=click.Choice(["continue", "wait"]))
@click.option("--ignore-deletes/--follow-deletes", "ignore_deletes", default=None)
@click.option("--compression", type=LEVELS, help="Of the way to the target's address.")
@click.option("--bytes-per-s", type=int, help="The limit of the way to the target's address.")
@click.option("--address", help="Where the target is reached, with --port.")
@click.option("--port", type=int, default=6321, show_default=True)
@asking
def change_connection(
    ask: Ask, key: str, *, bytes_per_s: int | None, address: str | None, port: int, **given: Any
) -> None:
    """Carry a connection on by other terms; what is not named stays as it is."""
    wanted = {name: value for name, value in given.items() if value is not None}
    if address is not None:
        wanted["route"] = {"address": address, "port": port}
    if bytes_per_s is not None:
        wanted["bandwidth"] = {"bytes_per_s": bytes_per_s}
    known = ask.engine.connection(key).terms
    ask.show(ask.engine.change_connection(key, schema.ConnectionTerms.model_validate(known.model_dump() | wanted)))


@connections.command("disconnect")
@click.argument("key")
@click.option(
    "--monitoring",
    type=click.Choice(["continue", "stop"]),
    help="Whether the target goes on watching this server; asked on a terminal, else it does.",
)
@asking
def disconnect(ask: Ask, key: str, monitoring: Literal["continue", "stop"] | None) -> None:
    """End a connection for good; the target keeps the data."""
    if monitoring is None and ask.engine.connection(key).protection is not None and sys.stdin.isatty():
        on = click.confirm("Shall the target go on watching this server for failure?", default=True)
        monitoring = "continue" if on else "stop"
    ask.show(ask.engine.disconnect(key, monitoring=monitoring or "continue"))


@connections.command("act")
@click.argument("key")
@click.argument("action", type=click.Choice([str(kind) for kind in schema.ConnectionActionKind]))
@click.option("--timeout-s", type=float, default=60.0, show_default=True)
@asking
def act(ask: Ask, key: str, action: str, timeout_s: float) -> None:
    """Tell a connection something: start_mirror, pause, settle, verify ..."""
    ask.show(ask.engine.connection_action(key, action, timeout_s=timeout_s))


@connections.command("verify")
@click.argument("key")
@click.option("--remirror", is_flag=True, help="Send what differs.")
@click.option("--only-newer", is_flag=True, help="Of that only what is newer on the source. Not for databases.")
@click.option("--checksum/--no-checksum", default=True, show_default=True, help="Compare all files by blocks.")
@click.option(
    "--at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"]), help="Plan it for then (local time)."
)
@click.option("--every-s", type=click.IntRange(min=60), help="Plan it, and again after so many seconds.")
@click.option("--planned", is_flag=True, help="Show the plan.")
@click.option("--no-plan", is_flag=True, help="Verify it no more by itself.")
@asking
def verify(ask: Ask, key: str, *, planned: bool, no_plan: bool, **how: Any) -> None:
    """Compare source and target, and write the set's verification log; now, or as planned."""
    at, every_s = how.pop("at"), how.pop("every_s")
    if no_plan:
        ask.show(ask.engine.forget_verify_plan(key))
    elif planned:
        ask.show(ask.engine.verify_plan(key))
    elif at is not None or every_s is not None:
        first_ns = None if at is None else int(at.timestamp()) * 1_000_000_000
        ask.show(ask.engine.plan_verify(key, VerifySchedule(first_ns=first_ns, interval_s=every_s, **how)))
    else:
        options = schema.MirrorOptions(kind="difference", checksum=how["checksum"], only_newer=how["only_newer"])
        ask.show(ask.engine.connection_action(key, "verify", options=options, remirror=how["remirror"]))


@connections.command("orphans")
@click.argument("key", required=False)
@click.option("--target", help="Of all connections to this engine.")
@click.option("--action", type=click.Choice(["log", "move", "delete"]), help="As the connection has it when absent.")
@click.option("--move-to", help="Where they are moved to, on the target.")
@click.option("--older-than-s", type=click.IntRange(min=0), default=0, help="Only what was not modified for so long.")
@click.option("--stop", is_flag=True, help="Look for no more.")
@asking
def orphans(ask: Ask, key: str | None, *, target: str | None, stop: bool, **policy: Any) -> None:
    """Deal with files that only the target has, now; names and sums are in the target engine's log."""
    if (key is None) == (target is None):
        msg = "give either a connection or --target"
        raise click.UsageError(msg)
    keys = [key] if key else [one.key for one in ask.engine.connections() if one.target == target]
    wanted = schema.Orphans.model_validate(policy) if policy["action"] else None
    options = schema.MirrorOptions(orphans=wanted) if wanted else None
    kind = schema.ConnectionActionKind.STOP_ORPHANS if stop else schema.ConnectionActionKind.REMOVE_ORPHANS
    for one in keys:
        ask.show(ask.engine.connection_action(one, kind, options=options))


@click.group()
def replicas() -> None:
    """The replicas that this engine keeps for others."""


@replicas.command("list")
@asking
def list_replicas(ask: Ask) -> None:
    """All replicas."""
    columns = ("key", "source", "replication_set", "target_root", "data_state", "promoted", "connected")
    ask.show_all(ask.engine.replicas(), columns)


@replicas.command("show")
@click.argument("key")
@asking
def show_replica(ask: Ask, key: str) -> None:
    """One replica."""
    ask.show(ask.engine.replica(key))


@replicas.command("act")
@click.argument("key")
@click.argument("action", type=click.Choice([str(kind) for kind in schema.ReplicaActionKind]))
@click.option("--epoch", type=int)
@click.option("--discard-changes", is_flag=True, help="With demote or forget: let what was changed here go.")
@click.option("--timeout-s", type=float, default=60.0, show_default=True)
@asking
def act_on_replica(ask: Ask, key: str, action: str, **settings: Any) -> None:
    """Tell a replica something: pause, settle, promote, demote ..."""
    ask.show(ask.engine.replica_action(key, action, **settings))
