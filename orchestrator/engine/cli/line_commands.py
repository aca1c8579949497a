"""``dtengine lines | statistics``: how data travels to target addresses, and a connection's figures in the words of the Linux guide."""

from __future__ import annotations

import click

from orchestrator.engine.cli.asking import Ask, asking, print_rows
from orchestrator.engine.client import Bandwidth, ConnectionStatus, LineSettings

LEVELS = click.Choice(["off", "minimum", "low", "medium", "high", "maximum"])
DATA_STATES = {
    "good": "OK",
    "mirroring": "Mirroring",
    "mirror_required": "Mirror Required",
    "restore_required": "Restore Required",
    "not_ready": "Mirror Required",
}
TARGET_STATES = {"ok": "OK", "paused": "Paused", "retrying": "Retrying", "not_loaded": "Not Loaded"}


@click.group()
def lines() -> None:
    """The ways to target addresses: compression and bandwidth, shared by all connections to one address."""


@lines.command("list")
@asking
def list_lines(ask: Ask) -> None:
    """All ways that somebody set."""
    ask.show_all(ask.engine.lines(), ("address", "compression", "bandwidth"))


@lines.command("set")
@click.argument("address")
@click.option("--compression", type=LEVELS, help="How hard to try; as it is when absent.")
@click.option("--bytes-per-s", type=int, help="Send so many bytes a second.")
@click.option("--percent", type=float, help="Use so much of a link (with --link-bits-per-s).")
@click.option("--link-bits-per-s", type=int, help="What the link carries.")
@click.option("--unlimited", is_flag=True, help="Send as fast as it goes.")
@asking
def set_line(  # noqa: PLR0917 - an option each
    ask: Ask,
    address: str,
    compression: str | None,
    bytes_per_s: int | None,
    percent: float | None,
    link_bits_per_s: int | None,
    unlimited: bool,  # noqa: FBT001
) -> None:
    """Send to ADDRESS like this from now on, also what is connected already."""
    known = next((line for line in ask.engine.lines() if line.address == address), LineSettings(address=address))
    bandwidth = None if unlimited else known.bandwidth
    if bytes_per_s is not None or percent is not None or link_bits_per_s is not None:
        bandwidth = Bandwidth(bytes_per_s=bytes_per_s, percent=percent, link_bits_per_s=link_bits_per_s)
    wanted = {"address": address, "compression": compression or known.compression, "bandwidth": bandwidth}
    ask.show(ask.engine.save_line(LineSettings.model_validate(wanted)))


@click.command()
@click.argument("key", required=False)
@asking
def statistics(ask: Ask, key: str | None) -> None:
    """The figures of a connection, or of all: every statistic of the Linux guide, chapter 9."""
    found = [ask.engine.connection(key)] if key else ask.engine.connections()
    if ask.as_json:
        ask.show_all(found, ())
        return
    for number, one in enumerate(found):
        if number:
            click.echo()
        print_rows(("", ""), list(guide_statistics(one).items()))


def guide_statistics(one: ConnectionStatus) -> dict[str, object]:
    """The statistics in the guide's order, under the guide's names."""
    return {
        "Replication Set": one.replication_set,
        "Connection ID": one.id,
        "Target Name": one.target,
        "Target IP": one.target_address,
        "Target Data State": DATA_STATES.get(one.target_data_state, one.target_data_state),
        "Target Status": TARGET_STATES.get(one.target_state, one.target_state),
        "Commit Mode": one.commit_mode,
        "Transmit Mode": one.transmit_state,
        "Mirror Status": one.mirror_state,
        "Replication Status": one.replication_state,
        "Queued (Ops)": one.queue_operations,
        "Sent (Bytes)": one.sent_bytes,
        "Sent Compressed (Bytes)": one.compressed_bytes_sent,
        "Intermediate Queue (Bytes)": one.queue_memory_bytes,
        "Disk Queue (Bytes)": one.queue_disk_bytes,
        "Queued Replication (Bytes)": one.replication_queue_bytes,
        "Sent Replication (Bytes)": one.replication_bytes_sent,
        "Sent Compressed Replication (Bytes)": one.replication_compressed_bytes_sent,
        "Queued Mirror (Ops)": one.mirror_queue_operations,
        "Sent Mirror (Bytes)": one.mirror_bytes_sent,
        "Sent Compressed Mirror (Bytes)": one.mirror_compressed_bytes_sent,
        "Skipped Mirror (Bytes)": one.mirror_bytes_skipped,
        "Remaining Mirror (Bytes)": one.mirror_bytes_remaining,
        "Queued Replication (Ops)": one.replication_queue_operations,
        "Last File Touched": one.last_file,
        "Connected Since": one.since,
    }
