"""Steps on one host: services, directories, documents, scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.model.servers import Where
from orchestrator.model.steps import ScriptCall, Step
from orchestrator.sdk.steps.making import NOTHING, act


def engines_answer(engines: Mapping[str, str], names: str) -> Step:
    """Both engines answer, and are the ones that the plan was made for. ``engines`` maps side to engine id."""
    look = act("engines-answer", engines=dict(engines))
    return Step("engines-answer", Where.ORCHESTRATOR, f"see that the engines on {names} answer", look, NOTHING, NOTHING)


def start_service(where: Where, server: str, service: Mapping[str, Any], *, downtime: bool = False) -> Step:
    """A service runs. ``service`` is its document."""
    name, given = service["name"], {"where": where, "service": service["name"], "document": dict(service)}
    return Step(
        f"start-{name}-{where}",
        where,
        f"start service {name} on {server}",
        act("service-running", **given),
        act("start-service", **given),
        act("stop-service", **given),
        before=(f"{name} stopped",),
        after=(f"{name} running",),
        downtime=downtime,
    )


def stop_service(
    where: Where, server: str, service: Mapping[str, Any], *, suffix: str = "", downtime: bool = False
) -> Step:
    """A service is stopped. ``suffix`` tells two stops of the same service in one plan apart."""
    name, given = service["name"], {"where": where, "service": service["name"], "document": dict(service)}
    return Step(
        f"stop-{name}-{where}{suffix}",
        where,
        f"stop service {name} on {server}",
        act("service-stopped", **given),
        act("stop-service", **given),
        act("start-service", **given),
        before=(f"{name} running",),
        after=(f"{name} stopped",),
        downtime=downtime,
    )


def set_start_type(where: Where, server: str, service: Mapping[str, Any], start_type: str) -> Step:
    """A service of the system's manager starts by hand only (or by itself)."""
    given = {"where": where, "service": service["name"], "document": dict(service), "start_type": start_type}
    return Step(
        f"start-type-{service['name']}-{where}",
        where,
        f"set the start type of {service['name']} on {server} to {start_type}",
        act("start-type", **given),
        act("set-start-type", **given),
        act("set-start-type", **given, back=True),
        after=(f"start type {start_type}",),
    )


def make_directory(where: Where, server: str, path: str) -> Step:
    """A directory is there."""
    given = {"where": where, "path": path}
    return Step(
        f"make-directory-{where}-{path.strip('/').replace('/', '-')}",
        where,
        f"make the directory {path} on {server}",
        act("directory-exists", **given),
        act("make-directory", **given),
        act("remove-directory", **given),
        after=(path,),
    )


def own_keytab(where: Where, server: str, path: str, conf: str) -> Step:
    """Root alone may read a keytab. ``conf`` is Samba's configuration there."""
    given = {"where": where, "path": path, "conf": conf}
    return Step(
        f"own-keytab-{where}-{path.strip('/').replace('/', '-')}",
        where,
        f"let root alone read the keytab {path} on {server}",
        act("keytab-owned", **given),
        act("own-keytab", **given),
        act("own-keytab", **given, back=True),
        after=(f"{path} owner root, mode 0600",),
    )


def give_document(where: Where, server: str, document: Mapping[str, Any], *, suffix: str = "") -> Step:
    """The engine knows its part in the protection."""
    given = {"where": where, "protection": document["id"], "document": dict(document)}
    role, epoch = document["role"], document["epoch"]
    return Step(
        f"document-{where}{suffix}",
        where,
        f"tell {server} its part in {document['id']}: {role}, epoch {epoch}",
        act("document-given", **given),
        act("give-document", **given),
        act("put-document-back", **given),
        after=(f"{server} is {role} of {document['id']} under epoch {epoch}",),
    )


def take_document(where: Where, server: str, protection: str, sides: Sequence[Where]) -> Step:
    """The engine has no part in the protection any more. Once one of ``sides`` has forgotten it, there is no way back."""
    given = {"where": where, "protection": protection}
    return Step(
        f"no-document-{where}",
        where,
        f"end the part of the engine on {server} in {protection}",
        act("document-absent", **given),
        act("take-document", **given),
        act("keep-documents", protection=protection, sides=list(sides)),
        before=(f"{server} has a part in {protection}",),
    )


def deliver_script(where: Where, server: str, protection: str, name: str, sha256: str) -> Step:
    """A script lies on its host, as reviewed."""
    given = {"where": where, "protection": protection, "name": name, "sha256": sha256}
    return Step(
        f"deliver-{name.replace('_', '-')}-{where}",
        where,
        f"deliver the script {name} to {server}",
        act("script-delivered", **given),
        act("deliver-script", **given),
        act("put-script-back", **given),
        after=(f"{name} sha256 {sha256[:16]}",),
    )


def run_script(
    where: Where,
    server: str,
    protection: str,
    *,
    script: str,
    call: ScriptCall | None,
    segments: Sequence[str],
    epoch: int,
    downtime: bool = False,
) -> Step:
    """Segments of a delivered script run on their host; ``{run}`` in the run id becomes the run's own."""
    given = {
        "where": where,
        "protection": protection,
        "script": script,
        "segments": list(segments),
        "run_id": "{run}",
        "epoch": epoch,
    }
    return Step(
        f"run-{script.replace('_', '-')}-{where}",
        where,
        f"run {script} on {server}{': ' if segments else ''}{', '.join(segments)}",
        act("script-ran", **given),
        act("run-script", **given),
        act("undo-script", **given),
        script=call,
        downtime=downtime,
    )
