"""The questions of ``dtam --sql setup``: how to log in, instances, mode, the tree of databases, their places on the target.

Both instances are asked while a person is: what they say makes the questions. What the file or a flag gave is not asked again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from orchestrator.cli.settings_options import Given
from orchestrator.errors import DtamError
from orchestrator.model.servers import Pair, Platform, Where
from orchestrator.model.settings import Settings
from orchestrator.model.sql import DEFAULT_INSTANCE, SqlInstance
from orchestrator.model.sqlport import SqlServers, SqlTest
from orchestrator.pipeline import Pipeline
from orchestrator.proposing import least_settings

LOGIN = "failover.sql.login"
TARGET_PASSWORD = "/etc/dtam/sql.password"  # noqa: S105  a place, not a password


@dataclass(slots=True)
class Asking:
    """What was given until now, and whom to ask."""

    pipeline: Pipeline
    given: Given
    advanced: bool

    def say(self, values: dict[str, Any]) -> None:
        """An answer counts from here on."""
        self.given = self.given.also(values)

    def is_open(self, setting: str) -> bool:
        """Whether nobody said it yet."""
        return self.given.value(f"failover.sql.{setting}") is None

    @property
    def pair(self) -> Pair:
        """The two servers."""
        return Pair(
            self.pipeline.known(str(self.given.value("source"))), self.pipeline.known(str(self.given.value("target")))
        )

    def servers(self) -> SqlServers:
        """Both instances, reached as was said until now."""
        settings: Settings = least_settings(self.pair, self.given.layers)
        return self.pipeline.reach.sql(self.pair, settings)


def complete(pipeline: Pipeline, given: Given, *, advanced: bool) -> Given:
    """Ask for what is open; without a terminal everything has a default. Source and target are known by now."""
    if not sys.stdin.isatty():
        return given if given.value("failover.sql") is not None else given.also({"failover.sql": {}})
    asking = Asking(
        pipeline, given if given.value("failover.sql") is not None else given.also({"failover.sql": {}}), advanced
    )
    _login(asking)
    _instances(asking)
    if asking.is_open("mode"):
        modes = click.Choice(["instance", "database"])
        mode = click.prompt("Protect whole instances, or databases only", type=modes, default="instance", err=True)
        asking.say({"failover.sql.mode": mode})
    if asking.is_open("databases"):
        asking.say(_databases(asking))
    if asking.advanced and asking.is_open("tempdb") and asking.given.value("failover.sql.mode") == "instance":
        asking.say({"failover.sql.tempdb": click.confirm("Replicate tempdb, too?", default=False, err=True)})
    return asking.given


def _login(asking: Asking) -> None:
    """Until both instances let us in, or a person goes on without."""
    if asking.is_open("login"):
        user = click.prompt(
            "Account of SQL Server for dtam (empty: Kerberos)", default="", show_default=False, err=True
        )
        if user.strip():
            asking.say({f"{LOGIN}.user": user.strip()})
            _password(asking, user.strip())
    for where in (Where.SOURCE, Where.TARGET):
        answer = _tested(asking, where)
        if not answer.ok and "certificate" in answer.says and asking.given.value(f"{LOGIN}.ca_file") is None:
            _certificate(asking, answer)
            answer = _tested(asking, where)
        click.echo(f"  {answer.says}" + (f"\n  hint: {answer.hint}" if answer.hint else ""), err=True)


def _tested(asking: Asking, where: Where) -> SqlTest:
    instances = asking.given.value("failover.sql.instances") or [{"name": DEFAULT_INSTANCE}]
    try:
        return asking.servers().test(where, str(instances[0].get("name", DEFAULT_INSTANCE)))
    except DtamError as error:
        return SqlTest(ok=False, says=str(error), hint=error.hint)


def _password(asking: Asking, user: str) -> None:
    """Remembered sealed for both servers; the target's own script reads it from a file there."""
    for server in (asking.pair.source, asking.pair.target):
        try:
            asking.pipeline.credentials.password(user, server.name)
        except DtamError:
            password = click.prompt(f"Password of {user} at {server.name}", hide_input=True, err=True)
            asking.pipeline.credentials.remember(user, server.name, password)
    if asking.pair.target.platform is Platform.LINUX:
        question = f"File on {asking.pair.target.name} with that password, for when nobody else is alive"
        asking.say({f"{LOGIN}.target_password_file": click.prompt(question, default=TARGET_PASSWORD, err=True)})


def _certificate(asking: Asking, answer: SqlTest) -> None:
    click.echo(f"  {answer.says}", err=True)
    file = click.prompt(
        "File with the authority that signed it (empty: none)", default="", show_default=False, err=True
    )
    if file.strip():
        asking.say({f"{LOGIN}.ca_file": file.strip()})
    elif click.confirm("Trust whatever certificate is shown?", default=False, err=True):
        asking.say({f"{LOGIN}.trust_server_certificate": True})


def _instances(asking: Asking) -> None:
    """Asked in advanced mode, where SQL Browser of the source knows two or more, as in the guide."""
    if not asking.is_open("instances"):
        return
    names = [one.instance for one in asking.servers().browse(Where.SOURCE).entries]
    if not names or names == [DEFAULT_INSTANCE]:
        return
    chosen = names
    if asking.advanced and len(names) > 1:
        click.echo(f"  instances on {asking.pair.source.name}: {', '.join(names)}", err=True)
        answer = click.prompt("Instances to protect, separated by commas", default=",".join(names), err=True)
        chosen = [one.strip() for one in answer.split(",") if one.strip()]
    asking.say({"failover.sql.instances": [{"name": name} for name in chosen]})


def _databases(asking: Asking) -> dict[str, Any]:
    """The tree: each instance with its databases; which are left out, and where those of the others lie on the target."""
    found = [asking.servers().facts(Where.SOURCE, name) for name in _names(asking)]
    whole = asking.given.value("failover.sql.mode") == "instance"
    for line in tree(found, whole=whole):
        click.echo(f"  {line}", err=True)
    selections: list[dict[str, Any]] = []
    for one in found:
        names = [database.name for database in one.databases if not database.system]
        if not names:
            continue
        question = f"Databases of {one.name} that are not protected, separated by commas (empty: none)"
        left_out = _listed(click.prompt(question, default="", show_default=False, err=True), names)
        selections += [{"instance": one.name, "name": name, "protect": False} for name in left_out]
        if not whole:
            selections += _places(one.name, [name for name in names if name not in left_out])
    return {"failover.sql.databases": selections} if selections else {}


def _names(asking: Asking) -> list[str]:
    instances = asking.given.value("failover.sql.instances") or [{"name": DEFAULT_INSTANCE}]
    return [str(one.get("name", DEFAULT_INSTANCE)) for one in instances]


def _places(instance: str, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    kept = list(names)
    if not kept or not click.confirm("Do any of them lie in other folders on the target?", default=False, err=True):
        yield from ({"instance": instance, "name": name} for name in kept)
        return
    for name in kept:
        data = click.prompt(
            f"Folder for {name} on the target (empty: as on the source)", default="", show_default=False, err=True
        )
        log = click.prompt(
            f"Folder for its log (empty: {data or 'as on the source'})", default=data, show_default=False, err=True
        )
        paths = {"target_data_path": data.strip(), "target_log_path": log.strip()}
        yield {"instance": instance, "name": name} | {word: path for word, path in paths.items() if path}


def tree(instances: Iterable[SqlInstance], *, whole: bool) -> Iterator[str]:
    """The protected databases as a tree; what cannot be chosen is marked."""
    for one in instances:
        yield f"{one.name}  {one.silence or one.version}"
        for database in one.databases:
            if database.system:
                mark = (
                    "required" if whole and database.name != "tempdb" else "optional" if whole else "not in this mode"
                )
            else:
                mark = f"{sum(file.bytes for file in database.files) // 10**6} MB, {database.state.lower()}"
            yield f"  {database.name}  ({mark})"


def _listed(text: str, known: Iterable[str]) -> list[str]:
    """Names out of a list with commas; case does not matter, and what is not known is said."""
    by_name = {name.lower(): name for name in known}
    wanted = [one.strip() for one in text.split(",") if one.strip()]
    for one in wanted:
        if one.lower() not in by_name:
            click.echo(f"  there is no database {one}", err=True)
    return [by_name[one.lower()] for one in wanted if one.lower() in by_name]
