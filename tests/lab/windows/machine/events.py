"""The event logs: a limited number of records, their sources."""

from __future__ import annotations

from typing import Any

from tests.lab.windows.machine.part import Part
from tests.lab.windows.machine.refusals import Refused

KEPT = 2000
LEVELS = {"Error": 2, "Warning": 3, "Information": 4, "SuccessAudit": 0, "FailureAudit": 0}
CLASSIC = ("Application", "Security", "System")
OTHER = (
    "Microsoft-Windows-StorageReplica/Admin",
    "Microsoft-Windows-SMBServer/Operational",
    "Microsoft-Windows-TaskScheduler/Operational",
)


class Events(Part):
    """Records of all logs, the oldest first."""

    file = "events"

    def fresh(self) -> dict[str, Any]:
        sources = {
            "Service Control Manager": "System",
            "EventLog": "System",
            "User32": "System",
            "Application": "Application",
        }
        return {"next": 1, "records": [], "logs": [*CLASSIC, *OTHER], "sources": sources}

    def power_on(self) -> None:
        self._unsaved = False

    def write(self, log: str, source: str, event_id: int, level: str, message: str) -> None:
        """Add a record."""
        record = {
            "index": self.data["next"],
            "log": log,
            "source": source,
            "id": event_id,
            "level": level,
            "message": message,
            "time": self.machine.now(),
        }
        self.data["next"] += 1
        self.data["records"] = [*self.data["records"], record][-KEPT:]
        self.save()

    def log(self, name: str) -> str:
        """The log's own spelling; refused when there is none."""
        found = next((one for one in self.data["logs"] if one.lower() == name.lower()), None)
        if found is None:
            message = f'There is not an event log on the localhost computer that matches "{name}".'
            raise Refused(message, "NoMatchingLogsFound", "ObjectNotFound", "System.Exception", name)
        return found

    def add_source(self, log: str, source: str) -> None:
        """Register a source, and the log when it is new."""
        if source.lower() in (known.lower() for known in self.data["sources"]):
            message = f'The "{source}" source is already registered on the "localhost" computer.'
            raise Refused(
                message, "EventSourceAlreadyExists", "InvalidOperation", "System.InvalidOperationException", source
            )
        if log.lower() not in (known.lower() for known in self.data["logs"]):
            self.data["logs"].append(log)
        self.data["sources"][source] = log
        self.save()

    def source(self, name: str) -> tuple[str, str] | None:
        """Its spelling and its log."""
        return next(
            ((known, log) for known, log in self.data["sources"].items() if known.lower() == name.lower()), None
        )

    def of(self, log: str) -> list[dict[str, Any]]:
        """The records of one log, the newest first."""
        return [one for one in reversed(self.data["records"]) if one["log"].lower() == log.lower()]
