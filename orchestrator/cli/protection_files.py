"""Protections as files, one each, fit for version control: what was chosen as plain YAML, and how two of them differ. Pure but for one writer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from orchestrator.model.protections import Protection
from orchestrator.model.settings import Settings

SUFFIX = ".yaml"
HEAD = "# protection {id}; dtam protections diff compares, dtam protections apply keeps what stands here\n"
_NOTHING = object()


class _Plain(yaml.SafeDumper):
    """YAML without anchors, which a protection file may not have."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the library's signature
        """Every value is written where it stands."""
        return True


def text_of(protection: Protection) -> str:
    """What was chosen, in the order of the settings; the same settings give the same text."""
    chosen = protection.settings.model_dump(mode="json", exclude_unset=True)
    return HEAD.format(id=protection.id) + yaml.dump(
        chosen, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120
    )


def write(directory: Path, protection: Protection) -> Path:
    """The file of a protection, whole or not at all.

    Raises:
        OSError: the directory cannot be made or written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{protection.id}{SUFFIX}"
    beside = directory / f".{protection.id}.{os.getpid()}"
    beside.write_text(text_of(protection), encoding="utf-8")
    beside.replace(path)
    return path


def files_in(directory: Path) -> dict[str, Path]:
    """The files of a directory by the protection that each is of."""
    return {path.stem: path for path in sorted(directory.glob(f"*{SUFFIX}"))}


def differences(before: Settings | None, after: Settings | None) -> list[tuple[str, Any, Any]]:
    """(setting, before, after) of each that is not the same, defaults counted; None: it is not there at all."""
    ours, theirs = (dict(_flat(one.model_dump(mode="json"))) if one else {} for one in (before, after))
    paths = [*ours, *(path for path in theirs if path not in ours)]
    return [
        (path, ours.get(path), theirs.get(path))
        for path in paths
        if ours.get(path, _NOTHING) != theirs.get(path, _NOTHING)
    ]


def _flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        here = f"{path}.{name}" if path else name
        if isinstance(value, dict) and value:
            yield from _flat(value, here)
        else:
            yield here, value


def lines(found: list[tuple[str, Any, Any]]) -> list[str]:
    """Differences for a person: what goes, what comes."""
    told: list[str] = []
    for path, before, after in found:
        if before is not None:
            told.append(f"- {path}: {_word(before)}")
        if after is not None:
            told.append(f"+ {path}: {_word(after)}")
    return told


def _word(value: Any) -> str:
    text = yaml.dump(value, Dumper=_Plain, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...").strip()
