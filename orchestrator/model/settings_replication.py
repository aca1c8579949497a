"""Settings of the ways to replicate that are not ours: Windows Storage Replica, and a tool that somebody else runs."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from orchestrator.model.fields import Command, ShortName, Tab

GIB = 1024**3
Volume = Annotated[str, StringConstraints(pattern=r"^([A-Za-z]:|[A-Za-z]:\\[^\x00-\x1f<>\"|?*]+)$", max_length=260)]
"""A volume by its drive letter (``E:``) or by the directory that it is mounted at."""


class ReplicatedVolume(Tab):
    """A volume of data; the target's has the same letter unless it says otherwise."""

    source: Volume
    target: Volume | None = None

    @property
    def on_target(self) -> str:
        """The target's volume."""
        return self.target or self.source


class StorageReplicaSettings(Tab):
    """Windows Storage Replica: volumes of equal size on both sides, and a volume for its log on each.

    Without ``volumes`` those that the protected directories lie on. ``seeded``: the target's volumes are copies already.
    ``consistency``: writes keep their order over all volumes together. ``recovery_point_s`` is how old an asynchronous replica may
    become before Storage Replica says so.
    """

    volumes: Annotated[tuple[ReplicatedVolume, ...], Field(max_length=64)] = ()
    source_log_volume: Volume
    target_log_volume: Volume | None = None
    log_size_bytes: Annotated[int, Field(ge=512 * 1024**2, le=1024 * GIB)] = 8 * GIB
    group: ShortName | None = None
    seeded: bool = False
    consistency: bool = False
    encryption: bool = False
    recovery_point_s: Annotated[int, Field(ge=30, le=86400)] = 30

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for log, data, side in (
            (self.source_log_volume, [one.source for one in self.volumes], "source"),
            (self.log_on_target, [one.on_target for one in self.volumes], "target"),
        ):
            if log.lower() in {one.lower() for one in data}:
                msg = f"the {side}'s log volume {log} is a volume of data: Storage Replica needs one of its own"
                raise ValueError(msg)
        return self

    @property
    def log_on_target(self) -> str:
        """The target's log volume."""
        return self.target_log_volume or self.source_log_volume


class ExternalSettings(Tab):
    """A tool that is not dtam's moves the data; dtam only asks it, and tells it of a failover where it has a command for that.

    ``ask`` answers in JSON: ``in_step`` (whether the receiving side is a state that the sending side was in), ``age_s`` (how old that
    state is, in seconds), and perhaps ``says``, ``bytes_waiting``, ``receiving``. The commands run ``on`` dtam's own machine or one of
    the servers; ``{direction}`` in them becomes ``out`` or ``back``, ``{source}`` and ``{target}`` the servers' names. An answer that is
    older than ``max_age_s`` is not in step.
    """

    ask: Command
    on: Literal["orchestrator", "source", "target"] = "orchestrator"
    pause: Command = ()
    resume: Command = ()
    promote: Command = ()
    reverse: Command = ()
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    max_age_s: Annotated[float, Field(gt=0, le=31_536_000)] = 60.0

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.ask:
            msg = "external needs ask: the command that says how the data stands"
            raise ValueError(msg)
        if bool(self.pause) != bool(self.resume):
            msg = "external needs both pause and resume, or neither"
            raise ValueError(msg)
        return self

    @property
    def commands(self) -> dict[str, tuple[str, ...]]:
        """The commands that were given, by their capability."""
        named = {"pause": self.pause, "promote": self.promote, "reverse": self.reverse}
        return {word: command for word, command in named.items() if command}
