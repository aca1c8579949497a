"""Protected services, and how the application is asked whether it answers."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from orchestrator.model.fields import Command, ServiceName, ShortName, Tab
from orchestrator.model.servers import Where

Seconds = Annotated[float, Field(gt=0, le=86400)]


class ServiceCommands(Tab):
    """How a service is started, stopped and asked on one side, where it differs from the other."""

    unit: ServiceName | None = None
    start_command: Command = ()
    stop_command: Command = ()
    health_command: Command = ()
    health_url: Annotated[str, Field(max_length=2000, pattern=r"^https?://")] | None = None
    environment: dict[str, str] = Field(default={})


class ServiceSettings(ServiceCommands):
    """A protected service: a ``unit`` of systemd or a service of Windows by its short name, or commands that the engine runs and watches itself.

    ``required`` services come from the application and cannot be removed. ``grace_s`` is how long it may take to stop before it
    is killed, ``start_timeout_s`` to become healthy.
    """

    name: ShortName
    must_be_stopped_on_target: bool = True
    required: bool = False
    user: ShortName | None = None
    grace_s: Annotated[float, Field(ge=0, le=3600)] = 10.0
    start_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    source: ServiceCommands | None = None
    target: ServiceCommands | None = None

    @model_validator(mode="after")
    def _startable(self) -> Self:
        for where in (Where.SOURCE, Where.TARGET):
            side = self.on(where)
            if (side.unit is None) == (not side.start_command):
                msg = f"service {self.name} needs either unit or start_command on the {where}"
                raise ValueError(msg)
        return self

    def on(self, where: Where) -> ServiceCommands:
        """The commands of one side: its own where given, else the common ones."""
        own = self.target if where is Where.TARGET else self.source
        common = {name: getattr(self, name) for name in ServiceCommands.model_fields}
        given = {name: getattr(own, name) for name in own.model_fields_set} if own else {}
        return ServiceCommands(**common | given)

    def document(self, where: Where) -> dict[str, Any]:
        """The service as the engine's control API takes it."""
        side = self.on(where).model_dump(mode="json")
        return side | {
            "name": self.name,
            "user": self.user,
            "grace_s": self.grace_s,
            "start_timeout_s": self.start_timeout_s,
        }


class HealthSettings(Tab):
    """How the service is asked through the clients' name; a failover is done only when this answers.

    ``url`` may hold ``{name}`` for the clients' name. ``within_s`` is the budget, from the first question to the answer.
    """

    url: Annotated[str, Field(max_length=2000, pattern=r"^https?://")] | None = None
    command: Command = ()
    expect: Annotated[str, Field(max_length=1000)] = ""
    timeout_s: Seconds = 5.0
    within_s: Seconds = 120.0
