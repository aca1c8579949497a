"""``dtam options``: how the tool itself behaves; shown without words, kept with them.

dtam options --refresh 10 --bytes
"""

from __future__ import annotations

import re
from typing import Any

import click
import msgspec

from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.guard import prepare_home
from orchestrator.cli.options import json_option, yes_option
from orchestrator.cli.screen import Screen, confirm, in_units
from orchestrator.store import options as kept
from orchestrator.store.options import LOG_MIN_BYTES, REFRESH_MAX_S, REFRESH_MIN_S, Options

AUTOMATIC = "automatic"
_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}


def _refresh(context: click.Context, option: click.Parameter, given: str | None) -> int | str | None:
    """Seconds between two looks, or the word."""
    if given is None or given.lower() == AUTOMATIC:
        return given and AUTOMATIC
    if not given.isdigit():
        msg = f"{given!r} is neither a number of seconds nor {AUTOMATIC}"
        raise click.BadParameter(msg, context, option)
    seconds: int = click.IntRange(REFRESH_MIN_S, REFRESH_MAX_S).convert(int(given), option, context)
    return seconds


def _size(context: click.Context, option: click.Parameter, given: str | None) -> int | None:
    """Bytes, or a number of KB, MB or GB."""
    if given is None:
        return None
    found = re.fullmatch(r"(\d{1,12})\s*([kmg]b)?", given.strip().lower())
    if found is None:
        msg = f"{given!r} is no size: give bytes, or a number with KB, MB or GB"
        raise click.BadParameter(msg, context, option)
    bytes_: int = click.IntRange(LOG_MIN_BYTES, 2**40 - 1).convert(
        int(found[1]) * _UNITS[found[2] or ""], option, context
    )
    return bytes_


def _usual_refreshes(_context: click.Context, _option: click.Parameter, begun: str) -> list[str]:
    return [word for word in (AUTOMATIC, "5", "10", "60") if word.startswith(begun)]


@click.command(
    "options",
    cls=Command,
    examples=(
        "dtam options",
        "dtam options --refresh 10 --bytes",
        "dtam options --refresh automatic --log-size 5MB",
        "dtam options --load-last --advanced",
        "dtam options --clear-credentials --yes",
        "dtam options --defaults",
    ),
)
@click.option("--port", type=click.IntRange(1, 65535), help="The engines' control port, where none is named (6320).")
@click.option(
    "--refresh",
    metavar=f"SECONDS|{AUTOMATIC}",
    callback=_refresh,
    shell_complete=_usual_refreshes,
    help="How often dtam monitor looks, 1 to 30000 seconds (automatic).",
)
@click.option("--verbose/--no-verbose", default=None, help="Log every command, not only what went wrong (verbose).")
@click.option(
    "--log-size",
    metavar="BYTES|N{KB,MB,GB}",
    callback=_size,
    help="When dtam.verbose.log is kept as .prev and begun anew (1MB).",
)
@click.option("--details/--no-details", default=None, help="dtam monitor shows how the data moves (details).")
@click.option("--bytes/--no-bytes", "in_bytes", default=None, help="Amounts in bytes instead of MB, GB, TB (no-bytes).")
@click.option(
    "--load-last/--no-load-last",
    default=None,
    help="Without a name the protection that was named last is meant (no-load-last).",
)
@click.option(
    "--alternative-dns/--no-alternative-dns",
    default=None,
    help="As if /altdns were always said: names are in a DNS of another make (no-alternative-dns).",
)
@click.option(
    "--advanced/--no-advanced", default=None, help="As if --advanced were always said: setup asks more (no-advanced)."
)
@click.option("--clear-credentials", is_flag=True, help="Forget every remembered password, and the key.")
@click.option("--defaults", is_flag=True, help="Everything as it was at first; other words count on top.")
@yes_option
@json_option
@click.pass_obj
def command(
    desk: Desk,
    /,
    *,
    in_bytes: bool | None,
    clear_credentials: bool,
    defaults: bool,
    yes: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Show or change the tool's own options: refresh, log, bytes, what is taken where nothing is named. They hold for this state directory."""
    screen = Screen(as_json)
    values = _values(given | {"bytes": in_bytes})
    if values or defaults:
        kept.write(prepare_home(desk.home), kept.changed(Options() if defaults else desk.options, values))
        desk.pipeline.store.audit(desk.pipeline.by, "", "options", f"options: {', '.join(values) or 'the defaults'}")
    forgotten = _forget(desk, screen, yes=yes) if clear_credentials else 0
    options = kept.read(desk.home)
    screen.table(("option", "value"), [(name, value) for name, value in _rows(options)])
    screen.document({"options": _document(options), "forgotten_credentials": forgotten})


def _values(given: dict[str, Any]) -> dict[str, Any]:
    names = {"refresh": "refresh_s", "log_size": "log_bytes"}
    chosen = {names.get(name, name): value for name, value in given.items() if value is not None}
    return {name: None if value == AUTOMATIC else value for name, value in chosen.items()}


def _forget(desk: Desk, screen: Screen, *, yes: bool) -> int:
    confirm("Forget every remembered password?", what="forgetting", yes=yes)
    gone = desk.pipeline.credentials.clear(None, None)
    for one in gone:
        desk.pipeline.store.audit(
            desk.pipeline.by, "", "credentials clear", f"the password of {one.account} is forgotten"
        )
    screen.say(f"forgotten: {len(gone)} remembered password{'' if len(gone) == 1 else 's'}")
    return len(gone)


def _rows(options: Options) -> list[tuple[str, str]]:
    return [
        ("port", str(options.port)),
        ("refresh", AUTOMATIC if options.refresh_s is None else f"{options.refresh_s} s"),
        ("verbose", _word(options.verbose)),
        ("log-size", in_units(options.log_bytes)),
        *[
            (name.replace("_", "-"), _word(getattr(options, name)))
            for name in ("details", "bytes", "load_last", "alternative_dns", "advanced")
        ],
    ]


def _word(on: bool) -> str:  # noqa: FBT001  internal
    return "yes" if on else "no"


def _document(options: Options) -> dict[str, Any]:
    told = {name: getattr(options, name) for name in Options.__struct_fields__ if name != "last"}
    built: dict[str, Any] = msgspec.to_builtins(told)
    return built
