"""Configure: layers of settings become one ``Settings``, and every value remembers which layer it came from.

Weakest first: defaults of the settings < what the application proposes < habits (the last choices that do not name machines) <
previous settings of the pair < the protection file < flags. Mappings are merged, lists are replaced whole. All problems are
told at once, each with file, line and column where it has them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.model.errors import FileUnreadable, ServerUnknown, SettingsInvalid, SourceIsTarget
from orchestrator.model.located import Located, load
from orchestrator.model.protections import Protection
from orchestrator.model.provenance import DEFAULT, Layer, Origin
from orchestrator.model.servers import Pair, Platform, Server
from orchestrator.model.settings import Settings

HABITS = (
    "monitoring.method",
    "monitoring.require",
    "monitoring.interval_s",
    "monitoring.missed",
    "failover.settle",
    "failover.settle_timeout_s",
    "failover.wait",
    "failover.dns.ttl_s",
    "failover.dns.ttl_limit_s",
    "failover.sql.rename_server",
    "failover.sql.check_database",
    "failover.sql.logins.transfer",
    "failover.sql.logins.refresh_interval_s",
    "connection.mirror",
    "connection.compression",
    "connection.mode",
    "connection.synchronous_wait_s",
    "connection.when_late",
    "snapshots.interval_s",
    "snapshots.keep",
    "snapshots.max_age_s",
    "snapshots.before_remirror",
    "advanced.step_budget_s",
    "advanced.mirror_budget_s",
    "advanced.facts_age_limit_s",
    "advanced.clock_offset_limit_s",
)
"""Settings that name no machine: the last choice becomes the next default (guide, chapter 2)."""


def read_file(path: Path) -> Located:
    """The layer of a protection file.

    Raises:
        FileUnreadable: it cannot be opened, is not UTF-8, or is not plain YAML; with line and column where there are.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileUnreadable(path=path, place="", why=error.strerror or str(error)) from error
    try:
        return load(content.decode(), str(path))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        why = f"the byte 0x{content[error.start]:02x} is not UTF-8"
        raise FileUnreadable(path=path, place=f":{line}:{column}", why=why) from error


def flags(chosen: Mapping[str, Any]) -> Located:
    """The layer of flags: dotted setting to value; text is read as YAML reads it (``monitoring.missed`` = ``"3"``)."""
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for path, given in chosen.items():
        _put(values, path, _from_text(given))
        origins[path] = Origin(Layer.FLAG, f"--set {path}")
    return Located(values, origins)


def _from_text(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return yaml.safe_load(given)
    except yaml.YAMLError:
        return given


def layer(values: Mapping[str, Any], name: Layer, place: str = "") -> Located:
    """Values of another layer, all from one place."""
    return Located(dict(values), {path: Origin(name, place) for path, _ in leaves(values)})


def habits(last: Mapping[str, Any]) -> Located:
    """What of the last configured settings is a habit rather than a fact about machines."""
    values: dict[str, Any] = {}
    for path in HABITS:
        found = value_at(last, path)
        if found is not None:
            _put(values, path, found)
    return layer(values, Layer.DEFAULT, "the last choice")


def configure(layers: Iterable[Located]) -> tuple[Settings, dict[str, Origin]]:
    """Merge layers, weakest first, into settings and the origin of every value that a layer gave.

    Raises:
        SettingsInvalid: with every problem.
    """
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for one in layers:
        values = merged(values, one.values)
        origins = {path: origin for path, origin in origins.items() if not _replaced(path, one.values)} | one.origins
    try:
        return Settings.model_validate(values), origins
    except ValidationError as error:
        raise refused([problem(one, values, origins) for one in error.errors()]) from error


def refused(problems: Sequence[str]) -> SettingsInvalid:
    """All problems as one error; the hint says what may stand there."""
    advice = "every setting, its unit and limits: docs/reference/protection-file.md"
    return SettingsInvalid(problems="; ".join(problems), advice=advice)


def agree(settings: Settings, servers: Mapping[str, Server], protections: Iterable[Protection]) -> Pair:
    """The pair that the settings name, after what can be refused without asking anybody.

    Raises:
        ServerUnknown: a name that nobody added.
        SettingsInvalid: both names are one machine, or a target path lies inside the protected directory.
        SourceIsTarget: the source is the target of another protection.
    """
    known = {name.lower(): server for name, server in servers.items()}
    source, target = (_known(name, known) for name in (settings.source, settings.target))
    if source.engine and target.engine and source.engine.fingerprint == target.engine.fingerprint != "":
        raise refused(
            [f"source {source.name} and target {target.name} are the same server: their engines have one key"]
        )
    unfit = list(_unfit(settings, source, target))
    if unfit:
        raise refused(unfit)
    for other in protections:
        same = (other.settings.source.lower(), other.settings.target.lower()) == (
            source.name.lower(),
            target.name.lower(),
        )
        if other.pair.target.name.lower() == source.name.lower() and not same:
            raise SourceIsTarget(name=source.name, protection=other.id)
    inside = [
        f"target path {root.on_target} lies inside the protected directory {root.source_path}"
        for root in settings.connection.roots
        if root.on_target.startswith(root.source_path.rstrip("/") + "/")
    ]
    if inside:
        raise refused(inside)
    return Pair(source, target)


def _unfit(settings: Settings, source: Server, target: Server) -> Iterator[str]:
    """Why the way to replicate is none for these servers."""
    way = settings.connection.replication
    if source.platform is not target.platform:
        yield f"{source.name} runs {source.platform} and {target.name} {target.platform}: a pair is of one platform"
    elif source.platform is Platform.WINDOWS and way == "native":
        yield (
            f"connection.replication: {source.name} and {target.name} run Windows, where no engine replicates: choose storage_replica, "
            "with connection.storage_replica.source_log_volume, or external"
        )
    elif source.platform is Platform.LINUX and way == "storage_replica":
        yield f"connection.replication: Storage Replica is of Windows, and {source.name} runs Linux: choose native or external"


def _known(name: str, known: Mapping[str, Server]) -> Server:
    if name.lower() not in known:
        near = ", ".join(sorted(server.name for server in known.values()))
        raise ServerUnknown(name=name, among=f" (known: {near})" if near else "")
    return known[name.lower()]


# -- problems


def problem(error: ErrorDetails, values: Mapping[str, Any], origins: Mapping[str, Origin]) -> str:
    """One complaint: place, setting, why, and what was given."""
    path = ".".join(str(part) for part in error["loc"] if part != "function-after[_startable()]")
    origin = place_of(path, origins)
    where = f"{origin}: " if origin is not DEFAULT else ""
    return f"{where}{path or 'settings'}: {_why(error, path)}{_given(error, path, values)}"


def place_of(path: str, origins: Mapping[str, Origin]) -> Origin:
    """Where a setting stands, or the nearest thing around it that has a place."""
    parts = path.split(".") if path else []
    for length in range(len(parts), -1, -1):
        found = origins.get(".".join(parts[:length]))
        if found is not None:
            return found
    return DEFAULT


def _why(error: ErrorDetails, path: str) -> str:
    if error["type"] == "extra_forbidden":
        key = str(error["loc"][-1])
        near = difflib.get_close_matches(key, _keys_at(path.rpartition(".")[0]), n=1)
        return f"there is no setting {key!r}{f', did you mean {near[0]!r}?' if near else ''}"
    if error["type"] == "missing":
        return "is missing"
    text = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return text[:1].lower() + text[1:]


def _given(error: ErrorDetails, path: str, values: Mapping[str, Any]) -> str:
    if error["type"] in {"extra_forbidden", "missing", "value_error"}:
        return ""
    given = value_at(values, path)
    return f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""


def _keys_at(path: str) -> list[str]:
    model: Any = Settings
    for part in path.split(".") if path else []:
        if part.isdigit():
            continue
        field = model.model_fields.get(part) if _is_model(model) else None
        model = _model_in(field.annotation) if field else None
    return list(model.model_fields) if _is_model(model) else []


def _model_in(annotation: Any) -> Any:
    if _is_model(annotation):
        return annotation
    found = [_model_in(one) for one in getattr(annotation, "__args__", ())]
    return next((one for one in found if one is not None), None)


def _is_model(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, BaseModel)


# -- nested values


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` over ``below``: mappings are merged, everything else is replaced."""
    result = dict(below)
    for key, value in above.items():
        known = result.get(key)
        result[key] = merged(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return result


def layered(layers: Sequence[Located]) -> Located:
    """All layers as one, weakest first; places are those of no file."""
    values: dict[str, Any] = {}
    for one in layers:
        values = merged(values, one.values)
    return Located(values)


def pair_named(layers: Located, servers: Mapping[str, Server]) -> Pair | None:
    """The pair that the layers name, in whatever case; None unless both are known."""
    known = {name.lower(): server for name, server in servers.items()}
    names = [str(layers.values.get(side, "")).lower() for side in ("source", "target")]
    return Pair(known[names[0]], known[names[1]]) if all(name in known for name in names) else None


def leaves(values: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """Every value that is no mapping, with its dotted path; lists count as one value and are walked as well."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
        return
    yield path, values
    if isinstance(values, list | tuple):
        for number, value in enumerate(values):
            yield from leaves(value, f"{path}.{number}")


def value_at(values: Any, path: str) -> Any:
    """The value at a dotted path, or None."""
    for part in path.split(".") if path else []:
        if isinstance(values, Mapping):
            values = values.get(part)
        elif isinstance(values, list | tuple) and part.isdigit() and int(part) < len(values):
            values = values[int(part)]
        else:
            return None
    return values


def _replaced(path: str, values: Mapping[str, Any]) -> bool:
    """Whether a stronger layer says something at this path or replaces a list around it."""
    parts = path.split(".")
    here: Any = values
    for part in parts:
        if not isinstance(here, Mapping):
            return True
        if part not in here:
            return False
        here = here[part]
    return not isinstance(here, Mapping)


def _put(values: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise refused([f"--set {path}: {parent} has a value of its own already"])
    values[last] = value
