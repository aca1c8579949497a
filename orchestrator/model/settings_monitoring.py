"""The Monitoring tab: how the source is watched, and who arbitrates."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.model.fields import Command, Fingerprint, IpAddress, Port, Tab
from orchestrator.model.settings_application import ApplicationMonitoring


class WitnessSettings(Tab):
    """The arbiter on a third machine. The source renews a lease of ``lease_s`` there and fences itself when it cannot."""

    address: IpAddress
    port: Port = 6322
    fingerprint: Fingerprint
    lease_s: Annotated[float, Field(ge=0.2, le=3600)] = 10.0


class LeaseSettings(Tab):
    """The lease that a Windows source holds from `dtam serve`: when it is not renewed the source stops its protected services.

    ``lease_s`` is how long the source serves on when `dtam serve`, or the way to it, is gone; it is renewed every third of it. ``grace_s`` is waited
    beyond its end before a failover by itself: the source's guard looks, and its services stop, within that time.
    """

    lease_s: Annotated[float, Field(ge=3, le=3600)] = 60.0
    grace_s: Annotated[float, Field(ge=0.5, le=600)] = 30.0


class PaceSettings(Tab):
    """How one monitored address is asked; what is not given is as for all."""

    address: IpAddress
    interval_s: Annotated[float, Field(ge=0.05, le=3600)] | None = None
    missed: Annotated[int, Field(ge=1, le=1000)] | None = None


class MonitoringTab(Tab):
    """How the target watches the source. ``interval_s`` x ``missed`` is the time after which it counts as failed; ``paces`` are of single addresses.

    ``require``: ``all`` monitored addresses must fail, or ``any``. Without ``witness`` automatic failover is refused unless
    ``without_witness`` is chosen, which is recorded.

    Where `dtam serve` watches (a target without an engine), ``udp`` asks WinRM's port instead of the engine; ``lease`` is what an automatic failover waits
    for, unless ``fence_command`` is given: it turns the source's machine off ({server} is its name) and ends with 0 only when it surely is.

    ``cushion_s`` is waited beyond ``interval_s`` x ``missed``, at every address: what a cluster's group takes to move from node to node.
    ``application``: the application itself is asked, too, and an alert raised when it does not answer.
    """

    enabled: bool = True
    manual_intervention: bool = True
    method: Literal["udp", "icmp", "both"] = "udp"
    addresses: Annotated[tuple[IpAddress, ...], Field(max_length=64)] = ()
    require: Literal["any", "all"] = "all"
    interval_s: Annotated[float, Field(ge=0.05, le=3600)] = 5.0
    missed: Annotated[int, Field(ge=1, le=1000)] = 5
    paces: Annotated[tuple[PaceSettings, ...], Field(max_length=64)] = ()
    witness: WitnessSettings | None = None
    without_witness: bool = False
    lease: LeaseSettings = LeaseSettings()
    fence_command: Command = ()
    cushion_s: Annotated[float, Field(ge=0, le=86400)] = 0.0
    application: ApplicationMonitoring | None = None

    def allowed(self, pace: PaceSettings | None = None) -> tuple[float, int]:
        """Seconds between two questions, and how many replies in a row may be missed: the cushion is missed replies, too."""
        interval_s = pace.interval_s if pace and pace.interval_s else self.interval_s
        missed = pace.missed if pace and pace.missed else self.missed
        return interval_s, missed + math.ceil(self.cushion_s / interval_s)

    @property
    def timed_lease_s(self) -> float | None:
        """How long a lease is; None where the source needs none that ends: a person decides, or its machine can be turned off."""
        automatic = self.enabled and not self.manual_intervention and not self.fence_command
        return self.lease.lease_s if automatic else None

    @model_validator(mode="after")
    def _watched(self) -> Self:
        watched = set(self.addresses)
        for one in self.paces:
            if watched and one.address not in watched:
                msg = f"paces: {one.address} is not one of the monitored addresses {', '.join(self.addresses)}"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _decided(self) -> Self:
        if self.witness is None and not self.manual_intervention and not self.without_witness:
            msg = "automatic failover needs a witness: give witness, or manual_intervention: true, or without_witness: true"
            raise ValueError(msg)
        return self
