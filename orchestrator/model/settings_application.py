"""Application monitoring: asking the protected application itself, beside its server."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.model.fields import AbsolutePath, Command, DataPath, Principal, Tab

Engine = Literal["program", "sh", "powershell", "vbscript"]
_ENGINES: dict[str, tuple[str, ...]] = {
    "program": (),
    "sh": ("/bin/sh",),
    "powershell": ("powershell.exe", "-NoProfile", "-NonInteractive", "-File"),
    "vbscript": ("cscript.exe", "//NoLogo"),
}


class ApplicationMonitoring(Tab):
    """The application is asked each ``interval_s``; after ``errors`` answers in a row that were none an alert is raised, never a failover.

    ``points`` built-in asks what the application itself offers (SQL Server: log in, read, the states of its databases; a file server: its
    ``health`` through the clients' name). ``custom`` runs ``script``, a program on the machine that watches, with ``arguments``; it ends with
    0 when all is well and says why not on its last line. ``engine`` runs the script where it is no program by itself. ``timeout_s`` for one
    answer. ``user`` with ``password_file`` (0600, on the machine that watches) are given to the script as DTAM_USER and DTAM_PASSWORD_FILE.
    """

    interval_s: Annotated[float, Field(ge=1, le=86400)] = 60.0
    errors: Annotated[int, Field(ge=1, le=1000)] = 3
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    points: Literal["built-in", "custom"] = "built-in"
    engine: Engine = "program"
    script: DataPath | None = None
    arguments: Command = ()
    user: Principal | None = None
    password_file: AbsolutePath | None = None

    @model_validator(mode="after")
    def _script_or_none(self) -> Self:
        if self.points == "custom" and self.script is None:
            msg = "points custom needs script: the program that asks the application"
            raise ValueError(msg)
        if self.points == "built-in" and (self.script is not None or self.arguments or self.engine != "program"):
            msg = "script, arguments and engine are for points: custom"
            raise ValueError(msg)
        if self.password_file is not None and self.user is None:
            msg = "password_file is of an account: give user, too"
            raise ValueError(msg)
        if self.timeout_s > self.interval_s:
            msg = f"timeout_s {self.timeout_s:g} is more than interval_s {self.interval_s:g}: one answer would come after the next question"
            raise ValueError(msg)
        return self

    @property
    def command(self) -> tuple[str, ...]:
        """What runs for a custom script; empty for the built-in points."""
        return (*_ENGINES[self.engine], self.script, *self.arguments) if self.script else ()

    @property
    def environment(self) -> dict[str, str]:
        """What the script is told beside its arguments; no password."""
        told = {"DTAM_USER": self.user, "DTAM_PASSWORD_FILE": self.password_file}
        return {name: str(value) for name, value in told.items() if value is not None}
