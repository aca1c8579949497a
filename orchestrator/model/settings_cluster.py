"""A pair of clusters: resources that are brought on- and offline instead of services."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from orchestrator.model.fields import Tab

ResourceName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\"]{1,200}$")]


class ResourceSettings(Tab):
    """A resource of the group, by its name in the cluster; most have to be offline on the target while data comes in."""

    name: ResourceName
    must_be_offline_on_target: bool = True


class ClusterSettings(Tab):
    """The protected group on both clusters. Resources come online in this order and go offline in the reverse one.

    Data travels to the address that the application of the group depends on, whatever node it is on: ``connection.route``.
    """

    source_group: ResourceName
    target_group: ResourceName
    resources: Annotated[tuple[ResourceSettings, ...], Field(min_length=1, max_length=200)]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [one.name.lower() for one in self.resources]
        again = next((name for name in names if names.count(name) > 1), None)
        if again is not None:
            msg = f"resource {again} is listed more than once"
            raise ValueError(msg)
        return self
