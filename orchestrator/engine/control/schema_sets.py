"""The documents about replication sets, where they go, and how a mirror compares."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from orchestrator.engine.control.fields import Address, Name, Path, Port, Request
from orchestrator.engine.mirror.names import ILLEGAL


class Rule(Request):
    """One line of a replication set; ``path`` is relative to the root, empty for the root itself."""

    path: Annotated[str, Field(max_length=4096)] = ""
    include: bool = True
    recursive: bool = True


def _legal_set_name(name: str) -> str:
    for character in name:
        if character in ILLEGAL:
            msg = f"{name!r} contains {character!r}, which is not allowed in the name of a replication set"
            raise ValueError(msg)
    return name


SetName = Annotated[Name, BeforeValidator(_legal_set_name)]


class ReplicationSet(Request):
    """Which files under a root belong together. ``generation`` is the one that was read; saving raises it by one.

    ``warning`` is said in the answer to a save, and not taken.
    """

    name: SetName
    root: Path
    rules: list[Rule] = Field(default=[Rule()], max_length=10_000)
    generation: int = Field(default=0, ge=0)
    warning: str = ""


class Route(Request):
    """The address and port of the target that the data travels to."""

    address: Address
    port: Port = 6321


class PathPair(Request):
    """One path of the source and where it goes on the target."""

    source: Path
    target: Path


class Mapping(Request):
    """Where files go on the target: the same path, under ``target_root``/source/set, or a chosen place."""

    kind: Literal["one_to_one", "all_to_one", "custom"] = "one_to_one"
    target_root: Path | None = None
    pairs: list[PathPair] = Field(default=[], max_length=100)

    @model_validator(mode="after")
    def _place_given(self) -> Self:
        if self.kind == "all_to_one" and self.target_root is None:
            msg = "all_to_one needs target_root"
            raise ValueError(msg)
        if self.kind == "custom" and self.target_root is None and not self.pairs:
            msg = "custom needs target_root or pairs"
            raise ValueError(msg)
        return self


class Orphans(Request):
    """What to do with files that only the target has."""

    action: Literal["ignore", "log", "move", "delete"] = "ignore"
    older_than_s: int = Field(default=0, ge=0)
    move_to: Path | None = None

    @model_validator(mode="after")
    def _place_given(self) -> Self:
        if self.action == "move" and self.move_to is None:
            msg = "moving orphans needs move_to"
            raise ValueError(msg)
        return self


class MirrorOptions(Request):
    """How a mirror compares: everything, or only what differs; whole files or only differing blocks.

    ``checksum_all``: with ``checksum``, all files are compared by blocks, whatever their sizes and times say. Without ``overwrite`` only
    files that the other side lacks are sent.
    """

    kind: Literal["full", "difference"] = "full"
    checksum: bool = False
    checksum_all: bool = False
    only_newer: bool = False
    overwrite: bool = True
    orphans: Orphans = Orphans()

    @property
    def spares(self) -> bool:
        """Whether files that differ may stay as the other side has them."""
        return self.only_newer or not self.overwrite
