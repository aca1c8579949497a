"""The shape that every skin of a host shares: questions go through ``_ask``, deeds through ``_do``; a subclass changes one of both.

Why explicit methods and no ``__getattr__``: the type checker then holds a skin to the port, and a new deed of the port cannot
slip past the dry run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from orchestrator.model.host import Host, HostFacts, ProtectionView, ScriptRun
from orchestrator.model.inventory import EngineFacts, ServiceFacts
from orchestrator.model.shares import Samba
from orchestrator.model.windows import USUAL, Windows, WindowsAsk

Answer = TypeVar("Answer")


class HostSkin:
    """A host around another host; by itself it changes nothing."""

    def __init__(self, inner: Host) -> None:
        self._inner = inner

    def _ask(self, sentence: str, question: Callable[[], Answer]) -> Answer:  # noqa: ARG002  for the subclasses
        return question()

    def _do(self, sentence: str, deed: Callable[[], None]) -> None:  # noqa: ARG002  for the subclasses
        deed()

    @property
    def name(self) -> str:
        """The server's short name."""
        return self._inner.name

    def engine(self) -> EngineFacts:
        """Who its engine is."""
        return self._ask("ask who the engine is", self._inner.engine)

    def facts(self, paths: Sequence[str] = ()) -> HostFacts:
        """What the host says about itself."""
        return self._ask("ask for facts", lambda: self._inner.facts(paths))

    def samba(self, conf: str, keytabs: Sequence[str] = (), sids: Sequence[str] = ()) -> Samba:
        """Shares and names of the host."""
        return self._ask("ask for shares and names", lambda: self._inner.samba(conf, keytabs, sids))

    def windows(self, ask: WindowsAsk = USUAL) -> Windows:
        """What a Windows host says about itself."""
        return self._ask("ask the Windows host", lambda: self._inner.windows(ask))

    def call(self, script: str, arguments: Mapping[str, Any], *, deed: bool = True) -> tuple[Mapping[str, Any], ...]:
        """Run a script of a Windows host."""
        if not deed:
            return self._ask(f"ask {script}", lambda: self._inner.call(script, arguments, deed=False))
        given: list[Mapping[str, Any]] = []
        self._do(f"call {script}", lambda: given.extend(self._inner.call(script, arguments)))
        return tuple(given)

    def make_directory(self, path: str, mode: int = 0o755) -> None:
        """A directory with its parents."""
        self._do(f"make the directory {path} with mode {mode:04o}", lambda: self._inner.make_directory(path, mode))

    def remove_directory(self, path: str) -> None:
        """An empty directory goes."""
        self._do(f"remove the directory {path} if it is empty", lambda: self._inner.remove_directory(path))

    def own_keytab(self, path: str, owner: int, mode: int) -> None:
        """Owner and permission bits of a keytab."""
        sentence = f"give the keytab {path} owner {owner} and mode {mode:04o}"
        self._do(sentence, lambda: self._inner.own_keytab(path, owner, mode))

    def services(self, wanted: Sequence[Mapping[str, Any]] = ()) -> tuple[ServiceFacts, ...]:
        """The protected services, and what can be seen of ``wanted``."""
        return self._ask("ask for services", lambda: self._inner.services(wanted))

    def start_service(self, name: str) -> None:
        """Start a service."""
        self._do(f"start service {name}", lambda: self._inner.start_service(name))

    def stop_service(self, name: str, service: Mapping[str, Any] | None = None) -> None:
        """Stop a service."""
        self._do(f"stop service {name}", lambda: self._inner.stop_service(name, service))

    def set_start_type(self, service: Mapping[str, Any], start_type: str) -> None:
        """Manual or automatic."""
        sentence = f"make service {service.get('name')} start {start_type}"
        self._do(sentence, lambda: self._inner.set_start_type(service, start_type))

    def protection(self, protection: str) -> ProtectionView | None:
        """How this engine sees a protection."""
        return self._ask(f"ask about {protection}", lambda: self._inner.protection(protection))

    def protections(self) -> tuple[tuple[str, str], ...]:
        """(id, role) of every protection."""
        return self._ask("ask for protections", self._inner.protections)

    def put_protection(self, document: Mapping[str, Any]) -> None:
        """Give the engine its document."""
        sentence = f"give the document of {document.get('id')} at epoch {document.get('epoch')}"
        self._do(sentence, lambda: self._inner.put_protection(document))

    def protection_document(self, protection: str) -> Mapping[str, Any] | None:
        """The document as it was given."""
        return self._ask(f"ask for the document of {protection}", lambda: self._inner.protection_document(protection))

    def remove_protection(self, protection: str) -> None:
        """The engine has no part in it any more."""
        self._do(f"take {protection} away", lambda: self._inner.remove_protection(protection))

    def act(self, protection: str, action: str, settings: Mapping[str, Any]) -> None:
        """An action of the control API."""
        self._do(f"tell {protection}: {action}", lambda: self._inner.act(protection, action, settings))

    def deliver_script(self, protection: str, name: str, text: str) -> None:
        """Deliver a script."""
        sentence = f"deliver script {name} of {protection} ({len(text)} characters)"
        self._do(sentence, lambda: self._inner.deliver_script(protection, name, text))

    def script_text(self, protection: str, name: str) -> str | None:
        """The delivered text."""
        return self._ask(f"ask for script {name}", lambda: self._inner.script_text(protection, name))

    def changed_scripts(self, protection: str) -> tuple[str, ...]:
        """The delivered scripts that were changed on the host since."""
        return self._ask(f"ask which scripts of {protection} changed", lambda: self._inner.changed_scripts(protection))

    def run_script(
        self, protection: str, name: str, run_id: str, segments: Sequence[str], *, undo: bool, epoch: int
    ) -> None:
        """Start a run of these segments."""
        sentence = f"run script {name} of {protection} as {run_id}: {', '.join(segments) or 'all of it'}"
        self._do(
            sentence,
            lambda: self._inner.run_script(protection, name, run_id, segments, undo=undo, epoch=epoch),
        )

    def script_run(self, run_id: str, name: str) -> ScriptRun | None:
        """How a run stands."""
        return self._ask(f"ask for run {run_id}", lambda: self._inner.script_run(run_id, name))
