"""Commands whose work a running `dtam serve` does: a failover, and the switch of its watch. Where none runs, the command does it itself."""

from __future__ import annotations

import msgspec

from orchestrator.cli.carrying import How
from orchestrator.cli.desk import Desk
from orchestrator.cli.screen import Screen
from orchestrator.failover import kept
from orchestrator.failover.guards import Wish
from orchestrator.model.protections import Protection
from orchestrator.model.runs import Ended
from orchestrator.running import Finished
from orchestrator.service.asking import ask
from orchestrator.service.wire import Reply, Request


def is_asked(desk: Desk, protection: Protection) -> bool:
    """Whether a `dtam serve` of this state directory is the executor of the protection, and runs."""
    if protection.pair.target.engine is not None or not kept.is_served(desk.home):
        return False
    return protection.id in ask(desk.home, Request("status")).protections


def does(desk: Desk, protection: Protection, how: How) -> bool:
    """Whether a failover is asked for there; plans are shown, and runs resumed or undone, here."""
    here = how.only_plan or how.plan_id or how.resume or how.undo
    return not here and is_asked(desk, protection)


def fail_over(desk: Desk, screen: Screen, protection: Protection, wish: Wish) -> Finished:
    """Ask for a failover and follow it. Whoever goes away meanwhile changes nothing: it goes on.

    Raises:
        ServeRefuses: it does not fit, with the reason. ServeSilent: it went away.
    """

    def hear(reply: Reply) -> None:
        if reply.step and reply.event != "waiting":
            screen.say(f"{reply.step}: {reply.event}: {reply.says}")

    asked = Request(
        "failover", protection.id, desk.pipeline.by, forced=wish.forced, graceful=wish.graceful, data=wish.data
    )
    reply = ask(desk.home, asked, hear, patience_s=60.0)
    run = desk.pipeline.store.run(reply.run).run
    return Finished(run, Ended(run.state, reply.says))


def switch(desk: Desk, protection: Protection, *, on: bool) -> str:
    """Turn the watch on or off; what was said. Without a `dtam serve` it is kept for the next one."""
    if is_asked(desk, protection):
        return ask(desk.home, Request("monitor", protection.id, desk.pipeline.by, on=on)).says
    kept.write(desk.home, protection.id, msgspec.structs.replace(kept.read(desk.home, protection.id), switched=on))
    return f"the watch over {protection.id} is {'on' if on else 'off'} from the next start of dtam serve; none runs now"
