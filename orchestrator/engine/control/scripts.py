"""Scripts delivered for a protection: stored with their SHA-256, shown as they lie, run only while their bytes still have it.

A script that somebody changed on this host is not run until a person delivers it again, as it is or rendered anew.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from orchestrator.engine.control import schema, store
from orchestrator.engine.control.answers import ScriptStatus, ScriptText
from orchestrator.engine.control.errors import ScriptRefused, Unknown


class Scripts:
    """The scripts of all protections of this engine, below ``directory``/PROTECTION/scripts."""

    def __init__(self, directory: Path) -> None:
        self._protections = directory

    def deliver(self, protection: str, name: str, script: schema.Script) -> ScriptStatus:
        """Store a script, readable and executable by its owner only."""
        if hashlib.sha256(script.text.encode()).hexdigest() != script.sha256:
            raise ScriptRefused(name=name, protection=protection, why="its text does not have the SHA-256 sent with it")
        folder = self._folder(protection)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        store.write_text(folder / name, script.text, 0o700)
        store.write_text(folder / f"{name}.sha256", script.sha256)
        return ScriptStatus(name=name, sha256=script.sha256, bytes=len(script.text.encode()))

    def exists(self, protection: str, name: str) -> bool:
        """Say whether such a script was delivered."""
        return self.path(protection, name).is_file()

    def look(self, protection: str, name: str) -> ScriptText:
        """A script as it lies here, whoever wrote it last."""
        path = self.path(protection, name)
        if not path.is_file():
            raise Unknown(kind="script", name=f"{protection}/{name}", listing=f"protections show {protection}")
        content = path.read_bytes()
        sha256 = (path.parent / f"{name}.sha256").read_text(encoding="ascii").strip()
        changed = hashlib.sha256(content).hexdigest() != sha256
        return ScriptText(text=content.decode(errors="replace"), sha256=sha256, changed=changed)

    def read(self, protection: str, name: str) -> schema.Script:
        """A delivered script to run, its hash checked.

        Raises:
            ScriptRefused: its bytes are not those that were delivered.
        """
        found = self.look(protection, name)
        if found.changed:
            raise ScriptRefused(name=name, protection=protection, why="it was changed on this host since its delivery")
        return schema.Script(text=found.text, sha256=found.sha256)

    def listed(self, protection: str) -> list[ScriptStatus]:
        """The delivered scripts of a protection that are there."""
        names = sorted(path.stem for path in self._folder(protection).glob("*.sha256"))
        return [self._status(protection, name) for name in names if self.exists(protection, name)]

    def _status(self, protection: str, name: str) -> ScriptStatus:
        found = self.look(protection, name)
        size_bytes = self.path(protection, name).stat().st_size
        return ScriptStatus(name=name, sha256=found.sha256, bytes=size_bytes, changed=found.changed)

    def path(self, protection: str, name: str) -> Path:
        """Where a script is."""
        return self._folder(protection) / name

    def _folder(self, protection: str) -> Path:
        return self._protections / protection / "scripts"
