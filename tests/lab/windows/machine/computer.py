"""The computer itself: its names, its domain, its system, features, installed software, clock."""

from __future__ import annotations

import re
import uuid
from typing import Any

from tests.lab.windows.machine.features import (
    ALWAYS,
    FEATURES,
    MODULES,
    MODULES_OF_FEATURE,
    NEEDS_RESTART,
    PARENTS,
    RELEASES,
)
from tests.lab.windows.machine.part import Part
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.machine.registry import LANMAN

NAMING = r"SYSTEM\CurrentControlSet\Control\ComputerName"
UNINSTALL = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"
VERSION = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"


class Computer(Part):
    """What the machine is."""

    file = "computer"
    name = ""

    def fresh(self) -> dict[str, Any]:
        settings = self.machine.settings
        return {
            "name": settings.name.upper(),
            "pending_name": None,
            "domain": settings.domain,
            "domain_netbios": settings.domain_netbios
            or (settings.domain.split(".")[0].upper() if settings.domain else None),
            "release": settings.release,
            "edition": settings.edition,
            "features": [*ALWAYS, *settings.features],
            "pending_features": [],
            "alternate_names": [],
            "clock_offset_s": 0.0,
            "uuid": str(uuid.uuid4()).upper(),
            "software": {},
        }

    def power_on(self) -> None:
        self.served: tuple[str, ...] = ()
        self.name = self.data["name"]

    def boot(self) -> None:
        """A name that waited for the restart is taken, so are features."""
        if self.data["pending_name"]:
            self.data["name"], self.data["pending_name"] = self.data["pending_name"], None
        if self.data["pending_features"]:
            waiting, self.data["pending_features"] = self.data["pending_features"], []
            self.data["features"] += waiting
        self.save()
        self.power_on()
        self._mirror()
        self.machine.services.on_running.setdefault("lanmanserver", []).append(self._serve_names)

    @property
    def clock_offset_s(self) -> float:
        """How far the clock is from the true one."""
        return float(self.data["clock_offset_s"])

    @property
    def release(self) -> str:
        """2016, 2019, 2022 or 2025."""
        return str(self.data["release"])

    @property
    def is_datacenter(self) -> bool:
        """Datacenter rather than Standard."""
        return "Datacenter" in self.data["edition"]

    @property
    def fqdn(self) -> str:
        """The name with the domain, in the form in which the directory has it."""
        return f"{self.name}.{self.data['domain']}" if self.data["domain"] else self.name

    @property
    def caption(self) -> str:
        """Microsoft Windows Server 2022 Datacenter."""
        return f"{RELEASES[self.release][2]} {self.data['edition']}"

    @property
    def version(self) -> str:
        """10.0.20348."""
        return RELEASES[self.release][0]

    @property
    def build(self) -> str:
        """20348."""
        return RELEASES[self.release][1]

    def environment(self) -> dict[str, str]:
        """The variables of a new process of the system."""
        return {
            "ALLUSERSPROFILE": r"C:\ProgramData",
            "CommonProgramFiles": r"C:\Program Files\Common Files",
            "COMPUTERNAME": self.name,
            "ComSpec": r"C:\Windows\system32\cmd.exe",
            "NUMBER_OF_PROCESSORS": "2",
            "OS": "Windows_NT",
            "Path": r"C:\Windows\system32;C:\Windows;C:\Windows\System32\Wbem;C:\Windows\System32\WindowsPowerShell\v1.0\\",
            "PATHEXT": ".COM;.EXE;.BAT;.CMD;.VBS;.VBE;.JS;.JSE;.WSF;.WSH;.MSC",
            "PROCESSOR_ARCHITECTURE": "AMD64",
            "ProgramData": r"C:\ProgramData",
            "ProgramFiles": r"C:\Program Files",
            "ProgramFiles(x86)": r"C:\Program Files (x86)",
            "PUBLIC": r"C:\Users\Public",
            "SystemDrive": "C:",
            "SystemRoot": r"C:\Windows",
            "TEMP": r"C:\Windows\TEMP",
            "TMP": r"C:\Windows\TEMP",
            "windir": r"C:\Windows",
        }

    def rename(self, new: str) -> None:
        """Take another name at the next restart.

        Raises:
            Refused: not a computer's name, or already the name.
        """
        if not re.fullmatch(r"[A-Za-z0-9-]{1,63}", new) or new.isdigit():
            message = f"Computer '{self.name}' cannot be renamed to '{new}' because the new name is not valid."
            raise Refused(message, "InvalidNewName", "InvalidArgument", "System.InvalidOperationException", new)
        if new.upper() == self.name:
            message = f"Skip computer '{self.name}' with new name '{new}' because the new name is the same as the current name."
            raise Refused(message, "NewNameIsOldName", "InvalidArgument", "System.InvalidOperationException", new)
        self.data["pending_name"] = new.upper()
        self.save()
        self.machine.registry.put(rf"{NAMING}\ComputerName", "ComputerName", "String", new.upper())

    def served_names(self) -> tuple[str, ...]:
        """The names under which the Server service answers now: its own, OptionalNames as read when it started, alternate names."""
        return (self.name, self.fqdn, *self.served)

    def _serve_names(self) -> None:
        value = self.machine.registry.value(rf"{LANMAN}\Parameters", "OptionalNames", [])
        optional = value if isinstance(value, list) else str(value).split()
        self.served = (*[one for one in optional if one], *self.data["alternate_names"])

    def has_feature(self, name: str) -> bool:
        """Whether it is installed."""
        return name.lower() in (one.lower() for one in self.data["features"])

    def feature(self, name: str) -> tuple[str, str, int] | None:
        """A feature that this release knows."""
        return next((one for one in FEATURES if one[0].lower() == name.lower()), None)

    def install_feature(self, name: str) -> bool:
        """Install it with what it belongs to; True when a restart is needed first."""
        for one in (*PARENTS.get(name, ()), name):
            if not self.has_feature(one) and one not in NEEDS_RESTART:
                self.data["features"].append(one)
                self.machine.services.add_of_feature(one)
            elif not self.has_feature(one):
                self.data["pending_features"].append(one)
        self.save()
        return name in NEEDS_RESTART

    def modules(self) -> dict[str, str]:
        """The modules that are there, with their versions; the lab may take some away: data["removed_modules"]."""
        extra = dict(module for feature, module in MODULES_OF_FEATURE.items() if self.has_feature(feature))
        removed = self.data.get("removed_modules", ())
        return {name: version for name, version in (MODULES | extra).items() if name not in removed}

    def install_software(self, name: str, version: str, publisher: str = "", key: str | None = None) -> None:
        """An installed program, as its Uninstall key says it."""
        path = rf"{UNINSTALL}\{key or name}"
        put = self.machine.registry.put
        put(path, "DisplayName", "String", name)
        put(path, "DisplayVersion", "String", version)
        put(path, "Publisher", "String", publisher)

    def set_clock_offset(self, seconds: float) -> None:
        """The lab sets the clock wrong."""
        self.data["clock_offset_s"] = seconds
        self.save()

    def _mirror(self) -> None:
        put = self.machine.registry.put
        put(rf"{NAMING}\ActiveComputerName", "ComputerName", "String", self.name)
        put(rf"{NAMING}\ComputerName", "ComputerName", "String", self.name)
        parameters = r"SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
        put(parameters, "Hostname", "String", self.name)
        put(parameters, "NV Hostname", "String", self.name)
        put(parameters, "Domain", "String", self.data["domain"] or "")
        put(VERSION, "ProductName", "String", self.caption.removeprefix("Microsoft "))
        put(VERSION, "CurrentBuild", "String", self.build)
        put(VERSION, "CurrentBuildNumber", "String", self.build)
        put(VERSION, "CurrentVersion", "String", "6.3")
        put(VERSION, "InstallationType", "String", "Server")
        put(VERSION, "EditionID", "String", f"Server{self.data['edition']}")
        self.machine.registry.make(UNINSTALL)
        self.machine.registry.make(rf"{LANMAN}\Parameters")
        self.machine.registry.make(rf"{LANMAN}\Shares\Security")
        self.machine.registry.make(r"SYSTEM\CurrentControlSet\Control\Lsa\MSV1_0")
