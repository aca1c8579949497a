"""``dtam monitor``: the status again and again, and the switch of the watch itself."""

from __future__ import annotations

import sys
import time
from typing import Any, Self

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from orchestrator.cli import overview, served
from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.options import json_option, protection_option
from orchestrator.cli.screen import Screen
from orchestrator.model.protections import Protection
from orchestrator.model.servers import Where

INTERVAL_MIN_S, INTERVAL_MAX_S = 1, 30_000
BUSY_S, CALM_S = 1.0, 5.0


@click.command(
    "monitor",
    cls=Command,
    examples=(
        "dtam --fileprint monitor",
        "dtam monitor --interval 10 --bytes --no-details",
        "dtam monitor --off",
        "dtam monitor --test-application",
        "dtam monitor --count 1 --json",
    ),
)
@protection_option
@click.option(
    "--interval",
    "interval_s",
    type=click.IntRange(INTERVAL_MIN_S, INTERVAL_MAX_S),
    help="Seconds between two looks (dtam options); without it they come faster while something moves.",
)
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many looks.")
@click.option(
    "--bytes/--no-bytes", "in_bytes", default=None, help="Amounts in bytes instead of MB, GB, TB (dtam options)."
)
@click.option("--details/--no-details", default=None, help="How both servers and the data stand, too (dtam options).")
@click.option(
    "--test-application",
    "tests",
    is_flag=True,
    help="Ask the application once, as its monitoring does; exit with 1 if it is not well.",
)
@click.option("--on/--off", "switch", default=None, help="Turn the target's watch over the source on or off.")
@json_option
@click.pass_obj
def command(
    desk: Desk,
    *,
    name: str | None,
    interval_s: int | None,
    count: int | None,
    in_bytes: bool | None,
    details: bool | None,
    switch: bool | None,
    tests: bool,
    as_json: bool,
) -> None:
    """Follow a protection: time to fail, mirror, replication, queue, last error. Ends with Ctrl-C.

    With --json each look is one line.
    """
    screen = Screen(as_json)
    protection = desk.protection(name, "monitor")
    if tests:
        _test_application(desk, screen, protection)
        return
    if switch is not None:
        _switch(desk, screen, protection, on=switch)
        return
    options = desk.options
    shown = overview.Shown(
        in_bytes=options.bytes if in_bytes is None else in_bytes,
        details=options.details if details is None else details,
    )
    try:
        _follow(desk, screen, protection, shown, interval_s=interval_s or options.refresh_s, count=count)
    except KeyboardInterrupt:
        screen.say("")


def _switch(desk: Desk, screen: Screen, protection: Protection, *, on: bool) -> None:
    if protection.pair.target.engine is None:
        says = served.switch(desk, protection, on=on)
    else:
        target = desk.pipeline.reach.ports(protection.pair, protection.settings).host(Where.TARGET)
        target.act(protection.id, "enable_monitor" if on else "disable_monitor", {"by": desk.pipeline.by})
        says = f"{target.name} {'watches' if on else 'no longer watches'} {protection.pair.source.name}"
    desk.pipeline.store.audit(desk.pipeline.by, protection.id, "monitor", says)
    screen.say(says)
    screen.document({"protection": protection.id, "monitor": on, "says": says})


def _test_application(desk: Desk, screen: Screen, protection: Protection) -> None:
    """One round by whoever asks it in earnest: with the same programs, accounts and limits."""
    if protection.settings.monitoring.application is None:
        msg = f"{protection.id} has no application monitoring: give monitoring.application"
        raise click.UsageError(msg)
    if protection.pair.target.engine is None:
        from orchestrator.service.application import ask_application  # noqa: PLC0415  no other command needs it

        answer = ask_application(desk.pipeline, protection)
        ok, says = answer.ok, answer.says
    else:
        target = desk.pipeline.reach.client(protection.pair.target)
        told = target.protection_action(protection.id, "ask_application", by=desk.pipeline.by).details["application"]
        ok, says = not told["errors"], told["says"]
    screen.say(says, "passed" if ok else "error")
    screen.document({"protection": protection.id, "ok": ok, "says": says})
    if not ok:
        raise click.exceptions.Exit(1)


def _follow(
    desk: Desk,
    screen: Screen,
    protection: Protection,
    shown: overview.Shown,
    *,
    interval_s: int | None,
    count: int | None,
) -> None:
    looks = 0
    with (
        Live(console=screen.console, auto_refresh=False, transient=False)
        if screen.is_terminal
        else _Lines(screen) as live
    ):
        while True:
            status = overview.gather(desk.pipeline, desk.pipeline.store.protection(protection.id))
            _show(live, screen, status, shown)
            looks += 1
            if looks == count:
                return
            time.sleep(interval_s or automatic_interval_s(status))


def automatic_interval_s(status: dict[str, Any]) -> float:
    """Faster while something moves or is wrong, slower in calm."""
    moving = status["connection"] and status["connection"]["target_data_state"] != "good"
    return BUSY_S if moving or status["restoring"] or status["condition"] != "healthy" else CALM_S


class _Lines:
    """Where no terminal is: the same block of lines each time."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()

    def tell(self, status: dict[str, Any], shown: overview.Shown) -> None:
        """One look."""
        self._screen.say(time.strftime("%H:%M:%S"))
        overview.show(self._screen, status, shown)


def _show(live: Live | _Lines, screen: Screen, status: dict[str, Any], shown: overview.Shown) -> None:
    if screen.as_json:
        screen.line(status)
    elif isinstance(live, _Lines):
        live.tell(status, shown)
    else:
        rows = [Text(f"{label:>16}  {text}") for label, text in overview.lines(status, shown)]
        live.update(Group(Text(time.strftime("%H:%M:%S")), *rows), refresh=True)
