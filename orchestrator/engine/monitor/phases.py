"""What each phase of a failover does, and how it is taken back: two tables over the collaborators.

Each takes (collaborators, settings, run) and may be repeated. ``undo`` of what cannot be taken back says so and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from orchestrator.engine.monitor.ports import SNAPSHOT, Collaborators, Done, GiveUp, Outcome, Pending, Settle
from orchestrator.engine.monitor.run import Phase, RunState
from orchestrator.engine.witness.rules import GrantAnswer

if TYPE_CHECKING:
    from orchestrator.engine.monitor.executor import ExecutorSettings

    Deed = Callable[[Collaborators, ExecutorSettings, RunState], Outcome]

LOOK_AGAIN_S = 0.5
PRE, POST = "pre_failover", "post_failover"


def ask_for_grant(with_: Collaborators, settings: ExecutorSettings, run: RunState) -> GrantAnswer:
    """Ask the witness; without one, the next epoch is assumed, loudly. Raises WitnessUnreachable."""
    if with_.granter is None:
        with_.events.say(f"no witness: epoch {run.from_epoch + 1} is assumed", level="warning", by=run.by or "settings")
        return GrantAnswer(True, run.from_epoch + 1, "assumed: no witness is configured")
    return with_.granter.grant(
        settings.protection, run.from_epoch, settings.candidate, forced=run.forced, by=run.by if run.forced else ""
    )


def look_before_asking(with_: Collaborators, settings: ExecutorSettings, run: RunState) -> Pending | None:
    """Wait, without having asked for anything, while the source's lease certainly runs. Raises WitnessUnreachable.

    Until the question is asked the run can be cancelled, and the source may still be promised its lease.
    """
    if with_.granter is None or run.forced:
        return None
    view = with_.granter.look(settings.protection)
    if view is None or view.epoch != run.from_epoch or not view.expires_in_s:
        return None
    says = f"the lease of {view.holder} at the witness runs for {view.expires_in_s:.1f} s more"
    return Pending(says, min(view.expires_in_s, LOOK_AGAIN_S))


def _pre_script(with_: Collaborators, settings: ExecutorSettings, run: RunState) -> Outcome:
    if not with_.scripts.exists(PRE):
        return Done("there is none")
    return with_.scripts.run(PRE, run_id=run.run_id, epoch=run.epoch, wait=settings.wait_for_pre_script)


def _settled_good(with_: Collaborators, how: Settle) -> Outcome:
    """Good data; unless it was overwritten by what the queue held, then it is looked at anew."""
    outcome = with_.replica.settle(how)
    if how is Settle.APPLY and with_.replica.status().data_state != "good":
        return Pending("the queue held the beginning of a mirror", 0)
    return outcome


def _settle(with_: Collaborators, settings: ExecutorSettings, run: RunState) -> Outcome:
    """What a person chose; else the settings, and where the data is not good its last good state, never a half-mirrored one."""
    if run.data.startswith(SNAPSHOT):
        return with_.replica.fall_back(run.data.removeprefix(SNAPSHOT))
    if run.data:
        return with_.replica.settle(Settle(run.data))
    status = with_.replica.status()
    if status.data_state == "good":
        return _settled_good(with_, settings.settle)
    if status.falls_back:
        return with_.replica.fall_back("")
    if run.by:
        return with_.replica.settle(settings.settle)
    hint = "a person may choose: dtam failover --data snapshot:ID, or --data apply"
    return GiveUp(f"the target's data state is {status.data_state}, and no good state was kept", hint)


def _start(with_: Collaborators, settings: ExecutorSettings, run: RunState) -> Outcome:
    if not with_.scripts.exists(POST):
        return with_.services.start(run.epoch)
    return with_.scripts.run(POST, run_id=run.run_id, epoch=run.epoch, wait=settings.wait_for_post_script)


DO: Mapping[Phase, Deed] = {
    Phase.STOP_SOURCE: lambda with_, _, run: with_.source.stop_services(run.run_id),
    Phase.SETTLE_SOURCE: lambda with_, _, run: with_.source.settled(run.run_id),
    Phase.RELEASE_LEASE: lambda with_, _, run: with_.source.release_lease(run.run_id, run.from_epoch),
    Phase.REFUSE_SOURCE: lambda with_, _, run: with_.replica.refuse_older(run.epoch),
    Phase.PRE_SCRIPT: _pre_script,
    Phase.SETTLE: _settle,
    Phase.PROMOTE: lambda with_, _, run: with_.replica.promote(run.epoch),
    Phase.MOUNT: lambda with_, _, run: with_.mounts.mount(run.epoch),
    Phase.START: _start,
}


def _undo_stop_source(with_: Collaborators, _: ExecutorSettings, run: RunState) -> Outcome:
    if run.epoch:
        return Done(f"the source stays fenced: it needs the epoch after {run.epoch}, which a failback grants it")
    return with_.source.resume_services(run.run_id)


def _undo_grant(with_: Collaborators, settings: ExecutorSettings, run: RunState) -> Outcome:
    if not run.epoch:
        answer = ask_for_grant(with_, settings, run)
        if not answer.granted:
            return Done("it was not granted")
    epoch = run.from_epoch + 1
    if with_.granter is not None:
        with_.granter.release(settings.protection, epoch, settings.candidate)
    return Done(f"epoch {epoch} was given back; epochs never fall, so the source needs the next one")


def _undo_settle(_: Collaborators, settings: ExecutorSettings, run: RunState) -> Outcome:
    if run.data.startswith(SNAPSHOT):
        return Done(
            "what was set back stays so until somebody resumes the replica, which then needs a difference mirror"
        )
    if settings.settle is Settle.DISCARD:
        return Done("what was discarded is gone: the target needs a difference mirror")
    return Done("what was applied stays: it came from the source")


def _undo_pre_script(with_: Collaborators, settings: ExecutorSettings, run: RunState) -> Outcome:
    if not with_.scripts.exists(PRE):
        return Done()
    return with_.scripts.run(PRE, run_id=run.run_id, epoch=run.epoch, wait=settings.wait_for_pre_script, undo=True)


def _nothing(_: Collaborators, __: ExecutorSettings, ___: RunState) -> Outcome:
    return Done("nothing to take back")


UNDO: Mapping[Phase, Deed] = {
    Phase.STOP_SOURCE: _undo_stop_source,
    Phase.SETTLE_SOURCE: _nothing,
    Phase.RELEASE_LEASE: _nothing,  # resume_services registers the epoch again
    Phase.GRANT: _undo_grant,
    Phase.REFUSE_SOURCE: _nothing,  # an older epoch stays refused for ever
    Phase.PRE_SCRIPT: _undo_pre_script,
    Phase.SETTLE: _undo_settle,
    Phase.PROMOTE: lambda with_, _, run: with_.replica.demote(run.epoch),
    Phase.MOUNT: lambda with_, _, run: with_.mounts.unmount(run.epoch),
}
