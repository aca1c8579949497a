"""YAML text with a place for every value: nested plain values, and for each dotted path where it stood.

Only plain YAML is taken: no aliases, no tags, no key twice. Paths are dotted, list positions are numbers:
``failover.services.0.name``. Lines and columns count from 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from orchestrator.model.errors import FileUnreadable
from orchestrator.model.provenance import Layer, Origin

_LIMIT_CHARS = 1024 * 1024
_DEPTH_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Located:
    """Values of one layer and where each stood. The empty path is the whole document."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)


class _Loader(yaml.SafeLoader):
    """Scalars as YAML 1.2 has them: dates and base-60 numbers stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int"}
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789"))


def load(text: str, place: str) -> Located:
    """Read a protection file's text; ``place`` is its path for messages.

    Raises:
        FileUnreadable: with line and column of what is wrong.
    """
    if len(text) > _LIMIT_CHARS:
        raise FileUnreadable(path=place, place="", why=f"it is larger than {_LIMIT_CHARS} characters")
    try:
        values, origins = _read(text, place)
    except yaml.MarkedYAMLError as error:
        raise FileUnreadable(
            path=place, place=_mark(error.problem_mark), why=error.problem or "it is not YAML"
        ) from error
    except yaml.reader.ReaderError as error:
        raise FileUnreadable(path=place, place=_place(text, error.position), why=str(error.reason)) from error
    if not isinstance(values, dict):
        raise FileUnreadable(path=place, place=":1:1", why="it must be a mapping of settings")
    return Located(values, origins)


def _read(text: str, place: str) -> tuple[Any, dict[str, Origin]]:
    loader = _Loader(text)
    try:
        _check_plain(text, place)
        node = loader.get_single_node()
        reading = _Reading(loader, place)
        return ({} if node is None else reading.value(node, "")), reading.origins
    finally:
        loader.dispose()


def _check_plain(text: str, place: str) -> None:
    """No aliases and no deep nesting, seen before anything is built of them."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise FileUnreadable(path=place, place=_mark(event.start_mark), why="aliases (*name) are not used here")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH_LIMIT:
            raise FileUnreadable(path=place, place=_mark(event.start_mark), why="it is nested too deeply")


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f":{line}:{position - text.rfind(chr(10), 0, position)}"


class _Reading:
    """One document being turned into values and places."""

    def __init__(self, loader: _Loader, place: str) -> None:
        self._loader = loader
        self._place = place
        self.origins: dict[str, Origin] = {}

    def value(self, node: yaml.Node, path: str) -> Any:
        """The plain value of a node, its place noted."""
        self._note(path, node)
        match node:
            case yaml.MappingNode():
                return self._mapping(node, path)
            case yaml.SequenceNode():
                return [self.value(one, _joined(path, str(n))) for n, one in enumerate(node.value)]
            case _:
                return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(self._scalar(key_node))
            if key in values:
                raise FileUnreadable(
                    path=self._place, place=_mark(key_node.start_mark), why=f"the key {key!r} is there twice"
                )
            values[key] = self.value(value_node, _joined(path, key))
            self._note(_joined(path, key), key_node)
        return values

    def _scalar(self, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise FileUnreadable(path=self._place, place=_mark(node.start_mark), why="a key must be plain text")
        if not node.tag.startswith("tag:yaml.org,2002:"):
            raise FileUnreadable(
                path=self._place, place=_mark(node.start_mark), why=f"the tag {node.tag} is not used here"
            )
        return self._loader.construct_object(node)

    def _note(self, path: str, node: yaml.Node) -> None:
        mark = node.start_mark
        self.origins[path] = Origin(Layer.FILE, self._place, mark.line + 1, mark.column + 1)


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _mark(mark: Any) -> str:
    return f":{mark.line + 1}:{mark.column + 1}" if mark else ""
