"""What a host needs before a protection knows it: directories, services that are not managed yet, the witness as seen from here.

Nothing is remembered here. A service is given with its whole document, because no protection names it yet.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path as FilePath
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from orchestrator.engine.control import keytabs, schema
from orchestrator.engine.control.answers import Done, ServiceStatus
from orchestrator.engine.control.backends import StartType, State, UnitBackend, answers_well, run_quietly
from orchestrator.engine.control.errors import Conflict, ServiceFailed
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.fields import Address, Answer, Fingerprint, Path, Port, Request
from orchestrator.engine.control.identity import Identity
from orchestrator.engine.witness.client import WitnessClient
from orchestrator.errors import DtamError

HEALTH_BUDGET_S = 5.0


class DirectoryRequest(Request):
    """A directory that shall be there; ``mode`` counts only for one that is made."""

    path: Path
    mode: Annotated[int, Field(ge=0, le=0o7777)] = 0o755


class KeytabRequest(Request):
    """Who may read a keytab that is there: its owner's number, and its permission bits."""

    path: Path
    owner: Annotated[int, Field(ge=0, le=2**32 - 2)] = 0
    mode: Annotated[int, Field(ge=0, le=0o777)] = 0o600


class ServicesRequest(Request):
    """Services that no protection names yet."""

    services: list[schema.Service] = Field(max_length=200)


class StartTypeRequest(Request):
    """Whether the system's own manager starts a service at boot."""

    service: schema.Service
    start_type: Literal["manual", "automatic"]


class WitnessQuestion(Request):
    """The witness that a protection would use, pinned by its fingerprint."""

    address: Address
    port: Port = 6322
    fingerprint: Fingerprint


class WitnessSeen(Answer):
    """Why the witness cannot be used by this engine; empty when it admits it."""

    problem: str = ""


def see_witness(request: WitnessQuestion, identity: Identity) -> WitnessSeen:
    """Ask the witness with this engine's own key, as its lease keeper would; nothing is registered there."""
    client = WitnessClient(
        request.address,
        request.port,
        request.fingerprint,
        certificate_file=identity.certificate_file,
        key_file=identity.key_file,
    )
    try:
        client.look_at_all()
    except DtamError as error:
        return WitnessSeen(problem=f"{error} ({error.hint})")
    finally:
        client.close()
    return WitnessSeen()


def make_directory(request: DirectoryRequest) -> Done:
    """Make a directory with its parents; one that exists is left as it is. New ones belong to whom the one above them belongs.

    Raises:
        Conflict: something else is in the way, or the file system refuses.
    """
    path = FilePath(request.path)
    if path.is_dir():
        return Done(says=f"{path} is there")
    new = [one for one in (path, *path.parents) if not one.exists()]
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.mkdir(exist_ok=True)
        path.chmod(request.mode)
        _give(new, (new[-1].parent if new else path).stat())
    except OSError as error:
        why = error.strerror or str(error)
        raise Conflict(what=f"making {path}", why=why, hint=f"look at {path.parent} on this host") from error
    return Done(says=f"{path} was made")


def _give(directories: Sequence[FilePath], above: os.stat_result) -> None:
    """They belong to the owner and the group of the one above, as far as this user may give."""
    for one in directories:
        with suppress(PermissionError):
            os.chown(one, above.st_uid, above.st_gid)


def remove_directory(text: str) -> Done:
    """Remove an empty directory; one that is not empty, or not there, is left as it is."""
    path = FilePath(text)
    with suppress(OSError):
        path.rmdir()
    return Done(says=f"{path} is {'still' if path.exists() else 'not'} there")


def look(service: schema.Service) -> ServiceStatus:
    """What can be seen of a service that is not managed: systemd's word, or whether its health question is answered."""
    healthy = _healthy(service)
    state: State = "running" if healthy else "stopped"
    start_type: StartType = "manual"
    kind: Literal["unit", "command"] = "command"
    if service.unit:
        backend = UnitBackend(service)
        (state, _), start_type, kind = backend.state(), backend.start_type, backend.kind
    return ServiceStatus(
        name=service.name,
        protection="",
        backend=kind,
        state=state,
        healthy=healthy,
        start_type=start_type,
        says=f"{service.name} is {state}, not managed yet",
    )


def stop(service: schema.Service) -> ServiceStatus:
    """Stop a service that is not managed, with its own means.

    Raises:
        ServiceFailed: it goes on, or has no stop command.
    """
    if service.unit:
        UnitBackend(service).stop(service.grace_s)
    elif service.stop_command:
        run_quietly(service.stop_command, service.grace_s)
    status = look(service)
    if status.state == "running":
        why = "it goes on running" if service.stop_command or service.unit else "it has no stop command"
        raise ServiceFailed(name=service.name, deed="stop", why=why, output="its own log")
    return status


def set_start_type(request: StartTypeRequest) -> Done:
    """Enable or disable a unit at boot; commands never start by themselves."""
    unit = request.service.unit
    if unit is None:
        return Done(says=f"{request.service.name} is a command: it never starts by itself")
    word = "disable" if request.start_type == "manual" else "enable"
    UnitBackend(request.service).tell(word)
    return Done(says=f"{unit} is {request.start_type}")


def _healthy(service: schema.Service) -> bool | None:
    if service.health_command:
        return run_quietly(service.health_command, HEALTH_BUDGET_S)
    return answers_well(service.health_url) if service.health_url else None


def prepare_routes(events: Events, identity: Identity) -> APIRouter:
    """Directories, services before they are managed, the witness as this engine sees it."""
    router = APIRouter(tags=["preparing"])

    @router.post("/witness/look")
    def witness(request: WitnessQuestion) -> WitnessSeen:
        return see_witness(request, identity)

    @router.post("/directories")
    def directory(request: DirectoryRequest) -> Done:
        done = make_directory(request)
        events.tell("directory", done.says)
        return done

    @router.delete("/directories")
    def no_directory(path: Annotated[Path, Query()]) -> Done:
        done = remove_directory(path)
        events.tell("directory", done.says)
        return done

    @router.post("/keytabs/own")
    def keytab(request: KeytabRequest) -> Done:
        keytabs.own(FilePath(request.path), request.owner, request.mode)
        done = Done(says=f"{request.path} has owner {request.owner} and mode {request.mode:04o}")
        events.tell("keytab", done.says)
        return done

    @router.post("/services-not-managed/look")
    def look_at(request: ServicesRequest) -> list[ServiceStatus]:
        return [look(service) for service in request.services]

    @router.post("/services-not-managed/stop")
    def stop_them(request: ServicesRequest) -> list[ServiceStatus]:
        stopped = [stop(service) for service in request.services]
        events.tell("service", f"stopped before being managed: {', '.join(status.name for status in stopped)}")
        return stopped

    @router.post("/services-not-managed/start-type")
    def start_type(request: StartTypeRequest) -> Done:
        done = set_start_type(request)
        events.tell("service", done.says)
        return done

    return router
