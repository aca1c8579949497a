"""SMB shares: what is offered, who may use it, and the registry from which the Server service reads it when it starts."""

from __future__ import annotations

from typing import Any

from tests.lab.windows.machine import descriptors
from tests.lab.windows.machine.descriptors import CHANGE, FULL, READ, Ace, Descriptor
from tests.lab.windows.machine.part import Part
from tests.lab.windows.machine.paths import DRIVE
from tests.lab.windows.machine.refusals import Refused, cim_error, no_cim_object
from tests.lab.windows.machine.registry import LANMAN
from tests.lab.windows.machine.share_defaults import CONFIGURATION, share_record

SHARES = rf"{LANMAN}\Shares"
CLASS = "MSFT_SMBShare:ROOT/Microsoft/Windows/SMB/MSFT_SMBShare"
RIGHTS = {"Full": FULL, "Change": CHANGE, "Read": READ}
CACHING = {"None": 0x30, "Manual": 0x00, "Documents": 0x10, "Programs": 0x20, "BranchCache": 0x80}
ACCESS_BASED = 0x800
ENCRYPT = 0x8000
UNLIMITED = 0xFFFFFFFF
FORBIDDEN = set('"/\\[]:|<>+=;,*?')


class Shares(Part):
    """The shares of the Server service; only what stands in the registry outlives its stop."""

    file = "shares"

    def fresh(self) -> dict[str, Any]:
        return {"configuration": dict(CONFIGURATION)}

    def power_on(self) -> None:
        self._shares: dict[str, dict[str, Any]] = {}
        self.closed: set[int] = set()
        self.lab_sessions: list[dict[str, Any]] = []

    def boot(self) -> None:
        """The Server service reads the shares when it starts and forgets them when it stops."""
        self.machine.services.on_running.setdefault("lanmanserver", []).append(self._read)
        self.machine.services.on_stopped.setdefault("lanmanserver", []).append(self._forget)

    def require_server(self) -> None:
        """Refused while the Server service does not run."""
        if not self.machine.services.is_running("LanmanServer"):
            raise cim_error(2114, CLASS)

    def all(self) -> list[dict[str, Any]]:
        """Every share that is offered now, by name."""
        self.require_server()
        return sorted(self._shares.values(), key=lambda one: one["name"].lower())

    def find(self, name: str) -> dict[str, Any] | None:
        """The share of that name."""
        self.require_server()
        return self._shares.get(name.lower())

    def offered(self, name: str) -> dict[str, Any] | None:
        """The same without a refusal."""
        return self._shares.get(name.lower()) if self.machine.services.is_running("LanmanServer") else None

    def get(self, name: str) -> dict[str, Any]:
        """The same, refused when there is none."""
        found = self.find(name)
        if found is None:
            raise no_cim_object("MSFT_SMBShare", "Name", name)
        return found

    def create(
        self, name: str, path: str, descriptor: Descriptor, *, temporary: bool = False, **other: Any
    ) -> dict[str, Any]:
        """Offer a folder; the name must be free, the folder there."""
        self.require_server()
        if not name.strip() or len(name) > 80 or set(name) & FORBIDDEN or any(char < " " for char in name):
            raise cim_error(87, CLASS)
        if name.lower() in self._shares:
            raise cim_error(2118, CLASS)
        if not DRIVE.match(path) or not path[2:].startswith(("\\", "/")):
            raise cim_error(87, CLASS)
        try:
            place = self.machine.files.locate(path)
        except Refused as why:
            raise cim_error(why.code if why.code in {3, 21, 123} else 3, CLASS) from why
        if not place.real.is_dir():
            raise cim_error(3 if not place.real.parent.exists() else 2, CLASS)
        share = (
            share_record(name, place.windows if not place.is_root else place.windows[:3], descriptors.sddl(descriptor))
            | other
        )
        share["temporary"] = temporary
        self._shares[name.lower()] = share
        self._write(share)
        return share

    def change(self, name: str, **changes: Any) -> dict[str, Any]:
        """Change properties of a share."""
        share = self.get(name)
        share.update(changes)
        self._write(share)
        return share

    def remove(self, name: str) -> None:
        """Take a share away; the built-in ones come back with the next start of the service."""
        share = self.get(name)
        if share["name"].upper() == "IPC$":
            raise cim_error(5, CLASS)
        del self._shares[share["name"].lower()]
        self.machine.registry.drop(SHARES, share["name"])
        self.machine.registry.drop(rf"{SHARES}\Security", share["name"])

    def descriptor(self, text: str) -> Descriptor:
        """A descriptor from SDDL; malformed text is error 1338 (87 on some releases: not confirmed)."""
        try:
            found = descriptors.parse(text, self.machine.accounts.domain_sid)
        except descriptors.Malformed as why:
            raise cim_error(1338, CLASS) from why
        if found.dacl is None:
            raise cim_error(1338, CLASS)
        return found

    def allow(self, name: str, accounts: list[str], right: str) -> None:
        """Give a right; an entry that the account already has is replaced, a denying one stays."""
        self._edit(name, accounts, [Ace("A", (), RIGHTS[right], "")], removing="A")

    def deny(self, name: str, accounts: list[str]) -> None:
        """Put an entry that denies everything before the others."""
        self._edit(name, accounts, [Ace("D", (), FULL, "")], removing="D")

    def revoke(self, name: str, accounts: list[str], kind: str) -> None:
        """Take all entries of the kind (A allowing, D denying) away."""
        self._edit(name, accounts, [], removing=kind)

    def _edit(self, name: str, accounts: list[str], adding: list[Ace], *, removing: str) -> None:
        share = self.get(name)
        held = descriptors.parse(share["sddl"])
        aces = list(held.dacl or ())
        for account in accounts:
            sid = self.machine.accounts.sid(account)
            aces = [ace for ace in aces if not (ace.sid == sid and ace.kind == removing)]
            aces += [Ace(ace.kind, ace.flags, ace.mask, sid) for ace in adding]
        ordered = sorted(aces, key=lambda ace: ace.kind != "D")
        self.change(share["name"], sddl=descriptors.sddl(held.with_dacl(tuple(ordered))))

    def configuration(self) -> dict[str, Any]:
        """The settings of the Server service."""
        strict = not self.machine.registry.value(rf"{LANMAN}\Parameters", "DisableStrictNameChecking", 0)
        level = self.machine.registry.value(rf"{LANMAN}\Parameters", "SmbServerNameHardeningLevel", 0)
        return self.data["configuration"] | {"EnableStrictNameChecking": strict, "SmbServerNameHardeningLevel": level}

    def configure(self, **changes: Any) -> None:
        """Change settings; two of them live in the registry."""
        put = self.machine.registry.put
        if "EnableStrictNameChecking" in changes:
            put(
                rf"{LANMAN}\Parameters",
                "DisableStrictNameChecking",
                "DWord",
                int(not changes["EnableStrictNameChecking"]),
            )
        if "SmbServerNameHardeningLevel" in changes:
            put(rf"{LANMAN}\Parameters", "SmbServerNameHardeningLevel", "DWord", changes["SmbServerNameHardeningLevel"])
        self.data["configuration"].update(changes)
        self.save()

    def sessions(self) -> list[dict[str, Any]]:
        """Who is connected: keys of MSFT_SmbSession, and ``OpenFiles``; from the file server behind the service, or as a test says."""
        self.require_server()
        found = (
            [dict(one) for one in self.machine.hooks.sessions()] if self.machine.hooks.sessions else self.lab_sessions
        )
        return [one for one in found if one["SessionId"] not in self.closed]

    def close_session(self, session_id: int) -> None:
        """Cut a session."""
        if self.machine.hooks.close_session:
            self.machine.hooks.close_session(session_id)
        self.lab_sessions = [one for one in self.lab_sessions if one["SessionId"] != session_id]
        self.closed.add(session_id)

    def close_file(self, file_id: int) -> None:
        """Close one open file."""
        for session in self.lab_sessions:
            session["OpenFiles"] = [one for one in session.get("OpenFiles", []) if one["FileId"] != file_id]

    def _read(self) -> None:
        self._shares = {}
        for letter in (
            [one["letter"] for one in self.machine.volumes.all()]
            if self.data["configuration"]["AutoShareServer"]
            else []
        ):
            self._special(f"{letter}$", f"{letter}:\\", "Default share")
        self._special("ADMIN$", "C:\\Windows", "Remote Admin")
        self._special("IPC$", "", "Remote IPC")
        secured = self.machine.registry.values(rf"{SHARES}\Security")
        for name, (kind, lines) in self.machine.registry.values(SHARES).items():
            if kind == "MultiString":
                self._from_lines(name, lines, secured.get(name))

    def _special(self, name: str, path: str, description: str) -> None:
        text = "O:SYG:SYD:(A;;GA;;;BA)(A;;GA;;;BO)(A;;GA;;;IU)"
        share = share_record(name, path, text) | {"description": description, "special": True, "caching": "Manual"}
        self._shares[name.lower()] = share

    def _from_lines(self, name: str, lines: list[str], secured: tuple[str, Any] | None) -> None:
        held = dict(line.split("=", 1) for line in lines if "=" in line)
        flags, limit = int(held.get("CSCFlags", "0")), int(held.get("MaxUses", UNLIMITED))
        text = f"O:SYG:SYD:(A;;{hex(READ)};;;WD)"
        if secured:
            try:
                text = descriptors.sddl(descriptors.from_bytes(bytes(secured[1])))
            except descriptors.Malformed:
                return  # the service does not offer a share whose descriptor it cannot read
        if not self._there(held.get("Path", "")):
            message = f"The server service was unable to recreate the share {name} because the directory {held.get('Path', '')} no longer exists."
            self.machine.events.write("System", "Server", 2511, "Warning", message)
            return
        share = share_record(name, held.get("Path", ""), text)
        share.update(
            description=held.get("Remark", ""),
            limit=0 if limit == UNLIMITED else limit,
            caching=next((text for text, bits in CACHING.items() if flags & 0xB0 == bits), "Manual"),
            enumeration="AccessBased" if flags & ACCESS_BASED else "Unrestricted",
            encrypt=bool(flags & ENCRYPT),
            ca_timeout=int(held.get("CATimeout", "0")),
        )
        self._shares[name.lower()] = share

    def _there(self, path: str) -> bool:
        try:
            return self.machine.files.locate(path).real.is_dir()
        except Refused:
            return False

    def _forget(self) -> None:
        self._shares, self.lab_sessions = {}, []

    def _write(self, share: dict[str, Any]) -> None:
        if share["temporary"] or share["special"]:
            return
        flags = CACHING.get(share["caching"], 0) | (ACCESS_BASED if share["enumeration"] == "AccessBased" else 0)
        flags |= ENCRYPT if share["encrypt"] else 0
        lines = [
            f"CATimeout={share['ca_timeout']}",
            f"CSCFlags={flags}",
            f"MaxUses={share['limit'] or UNLIMITED}",
            f"Path={share['path']}",
        ]
        lines += ["Permissions=0", *([f"Remark={share['description']}"] if share["description"] else [])]
        with self.machine.registry as registry:
            registry.put(SHARES, share["name"], "MultiString", [*lines, f"ShareName={share['name']}", "Type=0"])
            registry.put(
                rf"{SHARES}\Security", share["name"], "Binary", descriptors.to_bytes(descriptors.parse(share["sddl"]))
            )
