"""The registry's HKLM hive: keys and typed values; names keep their case and are found whatever the case."""

from __future__ import annotations

from typing import Any, Self

from tests.lab.windows.machine.part import Part
from tests.lab.windows.machine.refusals import Refused

KINDS = ("String", "ExpandString", "DWord", "QWord", "MultiString", "Binary")
ROOTS = ("SOFTWARE", "SYSTEM", "HARDWARE", "SAM", "SECURITY")
LANMAN = r"SYSTEM\CurrentControlSet\Services\LanmanServer"


def _number(value: Any, bits: int) -> int:
    number = int(value, 0) if isinstance(value, str) else int(value)
    if not -(1 << (bits - 1)) <= number < (1 << bits):
        raise OverflowError
    return number - (1 << bits) if number >= 1 << (bits - 1) else number


def converted(kind: str, value: Any) -> Any:
    """The value as the type stores it; refused when it cannot be made so."""
    try:
        if kind in {"DWord", "QWord"}:
            return _number(value, 32 if kind == "DWord" else 64)
        if kind == "MultiString":
            return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]
        if kind == "Binary":
            data = [int(one) for one in value]
            bytes(data)
            return data
    except (TypeError, ValueError, OverflowError) as why:
        message = "The type of the value object did not match the specified RegistryValueKind or the object could not be properly converted."
        raise Refused(
            message, "System.ArgumentException", "InvalidArgument", "System.ArgumentException", value
        ) from why
    return "" if value is None else str(value)


def kind_of(value: Any) -> str:
    """The type that PowerShell chooses when none is said: a number becomes a DWord."""
    if isinstance(value, bool):
        return "String"
    if isinstance(value, int):
        return "DWord" if -(1 << 31) <= value < 1 << 31 else "QWord"
    if isinstance(value, bytes):
        return "Binary"
    if isinstance(value, list | tuple):
        return "MultiString" if all(isinstance(one, str) for one in value) else "Binary"
    return "String"


class Registry(Part):
    """Keys by their path below HKLM, without a leading backslash."""

    file = "registry"
    _held = 0
    _dirty = False

    def boot(self) -> None:
        """Volatile keys were in memory only."""
        for one in self.data.pop("volatile", []):
            self.remove(one)

    def make_volatile(self, path: str) -> None:
        """Make a key that is gone at the next boot; one that is there stays as it is."""
        if not self.exists(path):
            self.data.setdefault("volatile", []).append(path.strip("\\"))
            self.make(path)

    def fresh(self) -> dict[str, Any]:
        return {"keys": {root.lower(): {"path": root, "values": {}} for root in ROOTS}}

    def key(self, path: str) -> dict[str, Any] | None:
        """The key of that path."""
        return self.data["keys"].get(path.strip("\\").lower())

    def exists(self, path: str) -> bool:
        """Whether there is such a key; the hive itself is there."""
        return not path.strip("\\") or self.key(path) is not None

    def subkeys(self, path: str) -> list[str]:
        """The names of its own keys."""
        before = path.strip("\\").lower()
        start = f"{before}\\" if before else ""
        found = [
            one["path"]
            for low, one in self.data["keys"].items()
            if low.startswith(start) and "\\" not in low[len(start) :]
        ]
        return sorted((one.rpartition("\\")[2] for one in found), key=str.lower)

    def make(self, path: str) -> None:
        """Make the key and those above it.

        Raises:
            Refused: a lasting key below a volatile one (ERROR_CHILD_MUST_BE_VOLATILE).
        """
        known = self.data["keys"]
        so_far = ""
        for part in path.strip("\\").split("\\"):
            above, so_far = so_far, f"{so_far}\\{part}" if so_far else part
            if so_far.lower() not in known:
                if self._below_volatile(so_far):
                    raise Refused("Cannot create a stable subkey under a volatile parent key.", "System.IO.IOException")
                cased = f"{known[above.lower()]['path']}\\{part}" if above else part
                known[so_far.lower()] = {"path": cased, "values": {}}
        self._changed()

    def _below_volatile(self, path: str) -> bool:
        low = path.lower()
        return any(low.startswith(f"{one.lower()}\\") and low != one.lower() for one in self.data.get("volatile", []))

    def remove(self, path: str) -> None:
        """Remove the key with all below it."""
        low = path.strip("\\").lower()
        known = self.data["keys"]
        self.data["keys"] = {one: key for one, key in known.items() if one != low and not one.startswith(f"{low}\\")}
        self._changed()

    def rename(self, path: str, new_name: str) -> None:
        """Give the key another last name, and all below it with it."""
        old = path.strip("\\").lower()
        new_path = f"{path.strip(chr(92)).rpartition(chr(92))[0]}\\{new_name}"
        renamed = {}
        for low, key in self.data["keys"].items():
            if low == old or low.startswith(f"{old}\\"):
                moved = new_path + key["path"][len(old) :]
                renamed[moved.lower()] = {"path": moved, "values": key["values"]}
            else:
                renamed[low] = key
        self.data["keys"] = renamed
        self._changed()

    def values(self, path: str) -> dict[str, tuple[str, Any]]:
        """Name -> type and value, of a key that exists; the default value has the name ''."""
        key = self.key(path)
        return {name: (kind, value) for name, kind, value in key["values"].values()} if key else {}

    def value(self, path: str, name: str, default: Any = None) -> Any:
        """One value; ``default`` when key or value is missing."""
        key = self.key(path)
        held = key["values"].get(name.lower()) if key else None
        return held[2] if held else default

    def put(self, path: str, name: str, kind: str, value: Any) -> None:
        """Set a value, making the key where it is missing."""
        if self.key(path) is None:
            self.make(path)
        values = self.data["keys"][path.strip("\\").lower()]["values"]
        held = values.get(name.lower())
        new = [held[0] if held else name, kind, converted(kind, value)]
        if held != new:
            values[name.lower()] = new
            self._changed()

    def drop(self, path: str, name: str) -> bool:
        """Remove a value; False when there was none."""
        key = self.key(path)
        if key is None or name.lower() not in key["values"]:
            return False
        del key["values"][name.lower()]
        self._changed()
        return True

    def _changed(self) -> None:
        self._dirty = True
        if not self._held:
            self._write()

    def _write(self) -> None:
        self._dirty = False
        self.save()

    def __enter__(self) -> Self:
        """Several changes, one write."""
        self._held += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._held -= 1
        if self._dirty and not self._held:
            self._write()
