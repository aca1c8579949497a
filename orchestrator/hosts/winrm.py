"""A Windows host over WinRM: the ``Host`` port by scripts that lie there.

There is no engine: a protection's document, fence, epoch and lease are files that the scripts keep (scripts/windows/state.ps1), and the
deciding is the executor's. A service is known on Windows by its short name, the ``unit`` of its document.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from orchestrator.hosts.errors import NotOnThisPlatform, WinRmQuota, WinRmUnreachable
from orchestrator.hosts.run_lines import outcomes, steps
from orchestrator.hosts.winrm_calls import DEED_S, Caller, Line
from orchestrator.hosts.winrm_facts import arguments_of, host_facts_of, services_of, windows_of
from orchestrator.model.documents import document_checksum
from orchestrator.model.host import HostFacts, ProtectionView, ScriptRun
from orchestrator.model.inventory import EngineFacts, ServiceFacts
from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.shares import Samba
from orchestrator.model.windows import USUAL, Windows, WindowsAsk

PLACE = ("At ", "+ ", "    + ")
SENTENCE_LINES = 3
"""As many lines as one of PowerShell's sentences may be broken into."""
SILENCE_WAIT_S = 2.0
STARTS_S = 900.0
ACTIONS = {
    "fence": (("reason", "Reason"),),
    "unfence": (),
    "set_epoch": (("epoch", "Epoch"),),
    "renew_lease": (
        ("epoch", "Epoch"),
        ("n", "Number"),
        ("boot", "Boot"),
        ("giver", "Giver"),
        ("until_s", "UntilSeconds"),
    ),
    "enable_monitor": (),
    "disable_monitor": (),
}


class WinRmHost:
    """The ``Host`` port over a ``Caller``. ``now`` gives seconds since the epoch, for the offset of the host's clock."""

    def __init__(self, name: str, caller: Caller, now: Callable[[], float] = time.time) -> None:
        self._name = name
        self._caller = caller
        self._now = now

    @property
    def name(self) -> str:
        """The server's short name."""
        return self._name

    # -- what only the other platform has

    def engine(self) -> EngineFacts:
        """There is none."""
        raise self._elsewhere("an engine")

    def samba(self, conf: str, keytabs: Sequence[str] = (), sids: Sequence[str] = ()) -> Samba:  # noqa: ARG002
        """There is none."""
        raise self._elsewhere(f"Samba ({conf})")

    def own_keytab(self, path: str, owner: int, mode: int) -> None:  # noqa: ARG002
        """There are none."""
        raise self._elsewhere(f"the keytab {path}")

    # -- facts

    def facts(self, paths: Sequence[str] = ()) -> HostFacts:
        """What the host says about itself and about ``paths``, in the order asked."""
        return host_facts_of(self._asked("host_facts", {"Path": list(paths)} if paths else {})[0])

    def windows(self, ask: WindowsAsk = USUAL) -> Windows:
        """What the host says about itself; the clock's offset is taken in the middle of the question."""
        began_s = self._now()
        lines = self._asked("windows_facts", arguments_of(ask))
        return windows_of(lines, (began_s + self._now()) / 2)

    def call(self, script: str, arguments: Mapping[str, Any], *, deed: bool = True) -> tuple[Line, ...]:
        """Run a script of scripts/windows by name; what it gives, one mapping an object. A ``timeout_s`` among the arguments is kept here."""
        if not deed:
            return self._asked(script, arguments)
        return self._done(script, arguments, float(arguments.get("timeout_s", DEED_S)))

    # -- directories and services

    def make_directory(self, path: str, mode: int = 0o755) -> None:  # noqa: ARG002  access lists are inherited
        """A directory with its parents; one that exists is left as it is. Rights are those of its parent."""
        self._done("make_directory", {"Path": path})

    def remove_directory(self, path: str) -> None:
        """An empty directory goes; one that is not empty, or not there, is left as it is."""
        self._done("remove_directory", {"Path": path})

    def services(self, wanted: Sequence[Mapping[str, Any]] = ()) -> tuple[ServiceFacts, ...]:
        """The protected services, then what can be seen of ``wanted`` ones."""
        asked = [{"name": one["name"], "unit": _unit(one)} for one in wanted]
        return services_of(self._asked("service_states", {"Wanted": asked} if asked else {}))

    def start_service(self, name: str) -> None:
        """Start a service and wait until it runs; refused while this host may not serve."""
        self._done("start_service", {"Name": name}, STARTS_S)

    def stop_service(self, name: str, service: Mapping[str, Any] | None = None) -> None:
        """Stop a service and all that depends on it."""
        unit = {"Unit": _unit(service)} if service is not None else {}
        self._done("stop_service", {"Name": name, **unit}, STARTS_S)

    def set_start_type(self, service: Mapping[str, Any], start_type: str) -> None:
        """``manual`` or ``automatic``."""
        self._done("set_start_type", {"Unit": _unit(service), "StartType": start_type})

    # -- protections

    def protection(self, protection: str) -> ProtectionView | None:
        """How this host stands to a protection; None when it has no part in it."""
        found = self._asked("protection_state", {"Protection": protection, "WithDocument": True})
        return _view(found[0]) if found else None

    def protections(self) -> tuple[tuple[str, str], ...]:
        """(id, role) of every protection that this host has a part in."""
        return tuple((str(one["id"]), str(one["role"])) for one in self._asked("protection_state", {}))

    def put_protection(self, document: Mapping[str, Any]) -> None:
        """Keep the document there; one with an older epoch is refused."""
        arguments = {
            "Protection": document["id"],
            "Role": document["role"],
            "Epoch": document["epoch"],
            "Services": [{**one, "unit": _unit(one)} for one in document.get("services", ())],
            "Document": json.dumps(document),
        }
        self._done("put_protection", arguments)

    def protection_document(self, protection: str) -> Mapping[str, Any] | None:
        """The document as it was given, with the epoch that the host knows by now, or None."""
        found = self._asked("protection_state", {"Protection": protection, "WithDocument": True})
        return _document(found[0]) if found else None

    def remove_protection(self, protection: str) -> None:
        """The host has no part in it any more."""
        self._done("remove_protection", {"Protection": protection})

    def act(self, protection: str, action: str, settings: Mapping[str, Any]) -> None:
        """fence, unfence, set_epoch, renew_lease, enable_monitor, disable_monitor; the executor's own actions are refused."""
        if action not in ACTIONS:
            raise self._elsewhere(f"the action {action}, which on Windows the executor does itself,")
        words = {name: settings[key] for key, name in ACTIONS[action] if settings.get(key) is not None}
        self._done("act", {"Protection": protection, "Action": action, **words}, STARTS_S)

    # -- scripts of protections

    def deliver_script(self, protection: str, name: str, text: str) -> None:
        """Deliver a script; its bytes are ``text`` in UTF-8, with the byte order mark that it begins with."""
        content = text.encode()
        arguments = {
            "Protection": protection,
            "Name": name,
            "Base64": base64.b64encode(content).decode("ascii"),
            "Sha256": hashlib.sha256(content).hexdigest(),
        }
        self._done("deliver_script", arguments)

    def script_text(self, protection: str, name: str) -> str | None:
        """The text as it lies there, or None."""
        found = self._asked("script_states", {"Protection": protection, "Text": name})
        texts = [one["base64"] for one in found if one["name"] == name and one["base64"] is not None]
        return base64.b64decode(texts[0]).decode() if texts else None

    def changed_scripts(self, protection: str) -> tuple[str, ...]:
        """The delivered scripts that were changed on the host since."""
        found = self._asked("script_states", {"Protection": protection})
        return tuple(str(one["name"]) for one in found if one["changed"])

    def run_script(
        self, protection: str, name: str, run_id: str, segments: Sequence[str], *, undo: bool, epoch: int
    ) -> None:
        """Start (or go on with) a run, detached from the link; ask with ``script_run``."""
        request = {
            "run_id": run_id,
            "protection": protection,
            "epoch": epoch,
            "segments": list(segments),
            "dry_run": False,
            "undo": undo,
        }
        self._done("start_run", {"Protection": protection, "Name": name, "RunId": run_id, "Request": request})

    def script_run(self, run_id: str, name: str) -> ScriptRun | None:
        """How a run stands, or None when this host does not know it."""
        found = self._asked("run_state", {"RunId": run_id, "Name": name})
        return _run(run_id, found[0]) if found else None

    # -- the way there

    def _asked(self, script: str, arguments: Mapping[str, Any]) -> tuple[Line, ...]:
        with _patience():
            return self._caller.ask(script, arguments)

    def _done(self, script: str, arguments: Mapping[str, Any], budget_s: float = DEED_S) -> tuple[Line, ...]:
        with _patience():
            return self._caller.do(script, arguments, budget_s)

    def _elsewhere(self, what: str) -> NotOnThisPlatform:
        return NotOnThisPlatform(what, self._name, "Windows")


@contextmanager
def _patience() -> Iterator[None]:
    """A host's silence is worth another try, so is an answer that was lost, or a host that has no room now; a refusal is not."""
    try:
        yield
    except (WinRmUnreachable, WinRmQuota) as silence:
        raise TryAgain(str(silence), after_s=SILENCE_WAIT_S) from silence


def _unit(service: Mapping[str, Any]) -> str:
    unit = service.get("unit")
    if not unit:
        raise GiveUp(f"service {service.get('name')} names no Windows service", "give its short name as unit")
    return str(unit)


def _document(line: Line) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(line["document"])
    return document | {"epoch": line["epoch"]}


def _view(line: Line) -> ProtectionView:
    return ProtectionView(
        id=str(line["id"]),
        role=str(line["role"]),
        epoch=int(line["epoch"]),
        fenced=bool(line["fence"]),
        monitor=bool(line["monitor"]),
        says=str(line["fenced"]),
        document_sha256=document_checksum(_document(line)),
        lease_remaining_s=line["lease_remaining_s"],
        boot=str(line["boot"]),
        ticks_s=line["ticks_s"],
        guard_s=line["guard_s"],
        lease_n=int(line["lease_n"]),
        lease_giver=str(line["lease_giver"]),
    )


def _run(run_id: str, line: Line) -> ScriptRun:
    lines = [json.loads(text) for text in line["lines"] if text.startswith("{") and text.endswith("}")]
    sentences = [str(one["says"]) for one in lines if one.get("says")]
    last_words = _last_words(str(line["output"])) if line["state"] == "failed" else []
    says = " | ".join([*sentences[-1:], *last_words])
    return ScriptRun(run_id, str(line["state"]), steps(lines), says, outcomes(lines))


def _last_words(output: str) -> list[str]:
    """What a script said last. Windows PowerShell ends an error with its place and ids, which tell a person nothing: what stands before them does."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    before = list(lines)
    while before and before[-1].startswith(PLACE):
        before.pop()
    if not before or len(before) == len(lines):
        return lines[-1:]
    return [" ".join(line.strip() for line in before[-SENTENCE_LINES:] if not line.startswith("{"))]
