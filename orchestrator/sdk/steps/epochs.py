"""Steps about who may serve: monitor, fence, epoch, failover."""

from __future__ import annotations

from orchestrator.model.servers import Where
from orchestrator.model.steps import Step
from orchestrator.sdk.steps.making import act


def monitor(where: Where, server: str, protection: str, *, on: bool, by: str = "", suffix: str = "") -> Step:
    """The target watches the source, or does not."""
    given = {"where": where, "protection": protection, "on": on, "by": by}
    return Step(
        f"monitor-{'on' if on else 'off'}{suffix}",
        where,
        f"{'start' if on else 'end'} the watch of {server} over the other side",
        act("monitor-is", **given),
        act("set-monitor", **given),
        act("put-monitor-back", **given),
        after=(f"monitor {'on' if on else 'off'}",),
    )


def fence(where: Where, server: str, protection: str, reason: str) -> Step:
    """Protected services stay down on a side, and its capture is read-only."""
    given = {"where": where, "protection": protection, "reason": reason}
    return Step(
        f"fence-{where}",
        where,
        f"fence {server}: {reason}",
        act("fenced", **given),
        act("fence", **given),
        act("put-fence-back", **given),
        after=(f"{server} is fenced",),
    )


def release_lease(where: Where, server: str, protection: str, epoch: int, *, downtime: bool = True) -> Step:
    """A side gives up the epoch; undone by taking the next one, if the other side is fenced."""
    given = {"where": where, "other": where.other, "protection": protection, "epoch": epoch}
    return Step(
        f"release-{where}",
        where,
        f"let {server} give up epoch {epoch}",
        act("never"),
        act("release-lease", **given),
        act("take-epoch-back", **given),
        before=(f"{server} holds epoch {epoch}",),
        downtime=downtime,
    )


def lift_fence(where: Where, server: str, protection: str) -> Step:
    """The fence that a hand-over left goes, once the other side holds the epoch; services here stay down for want of an epoch."""
    given = {"where": where, "other": where.other, "protection": protection}
    return Step(
        f"lift-fence-{where}",
        where,
        f"make {server} ready for a later failover: lift the fence that its hand-over left",
        act("never"),
        act("lift-fence", **given),
        act("fence", **given, reason="undo"),
    )


def grant(
    where: Where,
    server: str,
    protection: str,
    epoch: int,
    *,
    forced: bool = False,
    by: str = "",
    budget_s: float = 600.0,
) -> Step:
    """The next epoch, where no engine asks for it: ``server`` on ``where``, which had the one before, has surely stopped."""
    given = {"where": where, "protection": protection, "epoch": epoch, "forced": forced, "by": by}
    return Step(
        "grant",
        Where.ORCHESTRATOR,
        f"make sure that {server} serves no more, and have epoch {epoch} granted",
        act("epoch-granted", **given),
        act("grant-epoch", **given),
        act("take-grant-back", **given),
        after=(f"epoch {epoch} is granted",),
        budget_s=budget_s,
        downtime=True,
    )


def give_lease(where: Where, server: str, protection: str, epoch: int) -> Step:
    """Before services are started on a host that holds leases: after a restart of it none of its old ones counts."""
    return Step(
        f"lease-{where}",
        where,
        f"let {server} serve under epoch {epoch} while it is up",
        act("never"),
        act("give-lease", where=where, protection=protection, epoch=epoch),
        act("nothing"),
        after=(f"{server} has a lease",),
        downtime=True,
    )


def take_epoch(where: Where, server: str, protection: str, epoch: int, *, by: str = "", downtime: bool = True) -> Step:
    """A side takes the epoch and may serve."""
    given = {"where": where, "protection": protection, "epoch": epoch, "by": by}
    return Step(
        f"epoch-{where}",
        where,
        f"let {server} take epoch {epoch}",
        act("epoch-held", **given),
        act("take-epoch", **given),
        act("release-lease", **given),
        after=(f"{server} holds epoch {epoch}",),
        downtime=downtime,
    )


def fail_over(
    where: Where, server: str, protection: str, epoch: int, *, forced: bool, by: str, budget_s: float, data: str = ""
) -> Step:
    """The target takes over by itself, script and all; asked once, then followed. ``data``: apply, discard or snapshot:ID."""
    given = {"where": where, "protection": protection, "epoch": epoch, "forced": forced, "by": by, "run_id": "{run}"}
    chosen = {"data": data} if data else {}
    return Step(
        "fail-over",
        where,
        f"let {server} take over from epoch {epoch}{', on your word that the source is down' if forced else ''}{_with_data(data)}",
        act("failed-over", **given),
        act("fail-over", **given, **chosen),
        act("undo-failover", **given),
        budget_s=budget_s,
        downtime=True,
    )


def _with_data(data: str) -> str:
    words = {"": "", "apply": ", what has arrived applied", "discard": ", what is not applied yet discarded"}
    return words.get(data, f", its data set back to {data.replace(':', ' ')}")
