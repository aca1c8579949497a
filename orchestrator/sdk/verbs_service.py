"""Verbs about hosts: services, directories, protection documents and scripts.

``where`` is always the side's role in the settings. Facts about a silent engine are errors of the host adapter, not of verbs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from orchestrator.model.documents import says_all
from orchestrator.model.host import Host
from orchestrator.model.outcomes import GiveUp, TryAgain, UndoRefused
from orchestrator.model.steps import Seen
from orchestrator.sdk.context import Ports
from orchestrator.sdk.verbs import Found, Given, deed, look

# -- nothing


@look("never")
def never(_ports: Ports, _given: Given) -> Seen:
    """For steps that are to be done every time."""
    return Seen(done=False)


@deed("nothing")
def nothing(_ports: Ports, _given: Given, _found: Found) -> None:
    """The undo of a step that only waits or looks."""


# -- engines


@look("engines-answer")
def engines_answer(ports: Ports, given: Given) -> Seen:
    """Every named side answers, as the engine that the plan was made for."""
    for where, engine_id in given["engines"].items():
        actual = ports.host(where).engine().engine_id
        if actual != engine_id:
            raise GiveUp(f"the {where}'s engine is not the one of the plan ({actual})", "plan again: dtam discover")
    return Seen(done=True, says="both engines answer")


# -- services


def _state(host: Host, given: Given) -> str:
    wanted = [given["document"]] if given.get("document") else []
    found = {service.name: service for service in host.services(wanted)}
    service = found.get(given["service"])
    return service.state if service else "unknown"


@look("service-running")
def service_running(ports: Ports, given: Given) -> Seen:
    """The service runs."""
    state = _state(ports.host(given["where"]), given)
    return Seen(done=state == "running", says=f"{given['service']} is {state}", found={"state": state})


@look("service-stopped")
def service_stopped(ports: Ports, given: Given) -> Seen:
    """The service does not run."""
    state = _state(ports.host(given["where"]), given)
    return Seen(done=state in {"stopped", "failed"}, says=f"{given['service']} is {state}", found={"state": state})


@deed("start-service")
def start_service(ports: Ports, given: Given, _found: Found) -> None:
    """Start it, under the fence's eye."""
    ports.host(given["where"]).start_service(given["service"])


@deed("stop-service")
def stop_service(ports: Ports, given: Given, _found: Found) -> None:
    """Stop it, also where the engine does not manage it yet."""
    ports.host(given["where"]).stop_service(given["service"], given.get("document"))


@look("start-type")
def start_type(ports: Ports, given: Given) -> Seen:
    """The service's start type is the wanted one."""
    found = {one.name: one.start_type for one in ports.host(given["where"]).services([given["document"]])}
    actual = found.get(given["service"], "")
    return Seen(
        done=actual == given["start_type"], says=f"start type {actual or 'unknown'}", found={"start_type": actual}
    )


@deed("set-start-type")
def set_start_type(ports: Ports, given: Given, found: Found) -> None:
    """Set the wanted start type, or (in an undo) the found one."""
    wanted = found.get("start_type") if given.get("back") else given["start_type"]
    if wanted in {"manual", "automatic"}:
        ports.host(given["where"]).set_start_type(given["document"], wanted)


# -- directories


@look("directory-exists")
def directory_exists(ports: Ports, given: Given) -> Seen:
    """There is a directory at the path."""
    path = PurePosixPath(given["path"])
    above = [str(one) for one in (path, *path.parents) if one != one.parent]
    facts = {one.path: one for one in ports.host(given["where"]).facts(above).paths}
    own = facts[str(path)]
    if own.exists and own.kind != "directory":
        raise GiveUp(f"{path} is a {own.kind}, not a directory", "move it away, or choose another path")
    missing = [one for one in above if not facts[one].exists]
    return Seen(done=own.exists, says=f"{path} is {own.kind}", found={"missing": missing})


@deed("make-directory")
def make_directory(ports: Ports, given: Given, _found: Found) -> None:
    """Make it with its parents."""
    ports.host(given["where"]).make_directory(given["path"], given.get("mode", 0o755))


@deed("remove-directory")
def remove_directory(ports: Ports, given: Given, found: Found) -> None:
    """Remove what was not there before, the innermost first, as far as it is empty."""
    for path in found.get("missing", ()):
        ports.host(given["where"]).remove_directory(path)


# -- keytabs


@look("keytab-owned")
def keytab_owned(ports: Ports, given: Given) -> Seen:
    """Root alone may read the keytab. ``conf`` is Samba's configuration, whose facts speak of keytabs, too."""
    facts = ports.host(given["where"]).samba(given["conf"], [given["path"]]).keytab(given["path"])
    if facts is None or not facts.exists or facts.is_link:
        raise GiveUp(f"there is no keytab {given['path']}", "dtam rights prints how to make it")
    done = facts.owner == 0 and facts.mode & 0o077 == 0
    says = f"owner {facts.owner}, mode {facts.mode:04o}"
    return Seen(done=done, says=says, found={"owner": facts.owner, "mode": facts.mode})


@deed("own-keytab")
def own_keytab(ports: Ports, given: Given, found: Found) -> None:
    """Let root alone read it, or (in an undo) whoever could before."""
    owner, mode = (found.get("owner"), found.get("mode")) if given.get("back") else (0, 0o600)
    if owner is not None and mode is not None:
        ports.host(given["where"]).own_keytab(given["path"], owner, mode)


# -- protection documents


@look("document-given")
def document_given(ports: Ports, given: Given) -> Seen:
    """The engine holds exactly this document."""
    host, document = ports.host(given["where"]), given["document"]
    held = host.protection_document(document["id"])
    same = held is not None and says_all(held, document)
    return Seen(
        done=same,
        says="it holds this document" if same else "it does not hold it",
        found={"document": dict(held) if held else None},
    )


@look("document-absent")
def document_absent(ports: Ports, given: Given) -> Seen:
    """The engine has no part in the protection."""
    held = ports.host(given["where"]).protection_document(given["protection"])
    return Seen(
        done=held is None, says="no part in it" if held is None else "it has a part in it", found={"document": held}
    )


@deed("give-document")
def give_document(ports: Ports, given: Given, _found: Found) -> None:
    """Give the engine its document."""
    ports.host(given["where"]).put_protection(given["document"])


@deed("take-document")
def take_document(ports: Ports, given: Given, _found: Found) -> None:
    """The engine has no part in it any more."""
    ports.host(given["where"]).remove_protection(given["protection"])


@deed("keep-documents")
def keep_documents(ports: Ports, given: Given, _found: Found) -> None:
    """An engine that has forgotten its part has forgotten epoch, fence and scripts too: from there one only goes on."""
    for where in given["sides"]:
        host = ports.host(where)
        if host.protection_document(given["protection"]) is None:
            reason = f"{host.name} has no part in {given['protection']} any more"
            raise UndoRefused(reason, "resume the run to its end; dtam enable protects again")


@deed("put-document-back")
def put_document_back(ports: Ports, given: Given, found: Found) -> None:
    """Give it the document it had, or none. The epoch never goes down: the old document is given under the epoch of now."""
    host, protection = ports.host(given["where"]), given["protection"]
    before = found.get("document")
    view = host.protection(protection)
    if before is None:
        if view is not None:
            host.remove_protection(protection)
        return
    epoch = max(before.get("epoch", 0), view.epoch if view else 0)
    host.put_protection({**before, "epoch": epoch})


# -- scripts


@look("script-delivered")
def script_delivered(ports: Ports, given: Given) -> Seen:
    """The host has exactly this text."""
    host = ports.host(given["where"])
    text = host.script_text(given["protection"], given["name"])
    changed = given["name"] in host.changed_scripts(given["protection"])
    same = text is not None and text == ports.texts.get(given["sha256"]) and not changed
    says = "delivered" if same else "changed on its host" if changed else "not delivered"
    return Seen(done=same, says=says, found={"text": text, "changed": changed})


@deed("deliver-script")
def deliver_script(ports: Ports, given: Given, _found: Found) -> None:
    """Deliver it."""
    text = ports.texts.get(given["sha256"])
    if text is None:
        raise GiveUp(f"the text of {given['name']} is not at hand", "plan again, so that the scripts are rendered")
    ports.host(given["where"]).deliver_script(given["protection"], given["name"], text)


@deed("put-script-back")
def put_script_back(ports: Ports, given: Given, found: Found) -> None:
    """Deliver what was there before; a script that is new goes with the protection's document.

    What somebody had changed there is not brought back: it was kept beside, and delivering it would accept it for them.
    """
    if found.get("text") is not None and not found.get("changed"):
        ports.host(given["where"]).deliver_script(given["protection"], given["name"], found["text"])


def _segments(given: Given) -> Sequence[str]:
    return tuple(given["segments"])


@look("script-ran")
def script_ran(ports: Ports, given: Given) -> Seen:
    """Every segment of the run ended well on its host; where it is not waited for, people's own part may go on or have failed."""
    run = ports.host(given["where"]).script_run(given["run_id"], given["script"])
    if run is None:
        return Seen(done=False, says="it has not run")
    left = [one for one in _segments(given) if run.steps.get(one) not in {"done", "already"}]
    ended = run.state == "done" or (not given.get("wait", True) and run.state in {"running", "failed"})
    return Seen(done=ended and not left, says=run.says or run.state, found={"ran": True})


@deed("run-script")
def run_script(ports: Ports, given: Given, _found: Found) -> None:
    """Start the run, or go on with it, and wait for its end."""
    _run_script(ports, given, undo=False)


@deed("undo-script")
def undo_script(ports: Ports, given: Given, _found: Found) -> None:
    """Undo the segments on their host, in a run of their own that goes back by the first one's file."""
    if ports.host(given["where"]).script_run(given["run_id"], given["script"]) is not None:
        _run_script(ports, given, undo=True)


def _run_script(ports: Ports, given: Given, *, undo: bool) -> None:
    host = ports.host(given["where"])
    run = host.script_run(given["run_id"], given["script"])
    wanted = {"undone", "nothing"} if undo else {"done", "already"}
    if run is None or run.state != "running":
        if run is not None and run.state == "done" and all(run.steps.get(one) in wanted for one in _segments(given)):
            return
        host.run_script(
            given["protection"], given["script"], given["run_id"], _segments(given), undo=undo, epoch=given["epoch"]
        )
        run = host.script_run(given["run_id"], given["script"])
    if not undo and script_ran(ports, given).done:
        return
    if run is None or run.state == "running":
        raise TryAgain(f"{given['script']} runs on {host.name}", after_s=0.2)
    if run.state != "done":
        raise GiveUp(f"{given['script']} failed on {host.name}: {run.says}", "its run file on the host has every line")
