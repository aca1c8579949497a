"""Two fake hosts with engines and a witness, whose whole state is one file: a world that survives a killed process.

Its replication is in ``ondisk_data``, its DNS and its clients in ``ondisk_names``.

What real engines guarantee is guaranteed here too: a service starts only where the fence is open, an epoch is granted by
compare-and-set, a promoted side refuses its old source, applying never writes under a captured directory that serves. Whatever
breaks that is written into ``violations`` at the moment it happens, so that no later repair hides it.

Each deed of several parts calls ``halfway`` between them: there a test may end the process. Seen from the orchestrator an engine
acts atomically in its smallest parts, and goes on by itself with a failover that it has begun.
"""

# ruff: noqa: ARG002 - the ports' signatures
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.model.host import HostFacts, ProtectionView, ScriptRun
from orchestrator.model.inventory import EngineFacts, PathFacts, ServiceFacts
from orchestrator.model.outcomes import GiveUp
from orchestrator.model.servers import Where
from orchestrator.model.shares import Samba
from orchestrator.model.windows import USUAL, Windows, WindowsAsk
from tests.conformance.statefile import State, StateFile

SIDES = ("source", "target")
ALIVE = {"starting", "running", "stopping"}


def new_side(address: str) -> State:
    """A host where nothing was set up."""
    return {
        "address": address,
        "peers": [],
        "directories": {},
        "services": {},
        "wanted": [],
        "start_types": {},
        "records": {},
        "captured": [],
        "sets": {},
        "links": {},
        "replicas": {},
        "scripts": {},
        "runs": {},
        "data": 0,
    }


def new_world() -> State:
    """Nothing protected, no names."""
    return {
        "sides": {"source": new_side("10.0.0.1"), "target": new_side("10.0.0.2")},
        "witness": {"epoch": 0, "holder": "", "released": True},
        "names": {},
        "names_after": {},
        "violations": [],
    }


class World(StateFile):
    """The file, and the rules that hold for whatever is written into it."""

    def save(self, state: State) -> None:
        """Check the rules and replace the file."""
        serving = [side for side in SIDES if self.serves(state, side)]
        if len(serving) > 1:
            state["violations"].append(f"both sides serve: {[state['sides'][side]['services'] for side in SIDES]}")
        super().save(state)

    def serves(self, state: State, side: str) -> bool:
        """Whether clients could be served, or written for, on a side."""
        return bool(ALIVE & set(state["sides"][side]["services"].values()))

    def fenced(self, state: State, side: str, protection: str) -> bool:
        """Whether the engine on ``side`` would refuse a start."""
        record = state["sides"][side]["records"].get(protection)
        if record is None:
            return False
        if record["fence"]:
            return True
        epoch = record["document"]["epoch"]
        if side == "target":
            return bool(record["promoted"] != epoch)
        witness = state["witness"]
        return bool((witness["epoch"], witness["holder"], witness["released"]) != (epoch, "source", False))


class DiskHost:
    """The ``Host`` port over one side of a world."""

    def __init__(self, world: World, where: Where) -> None:
        self._world = world
        self._side = where.value

    @property
    def name(self) -> str:
        return {"source": "alpha", "target": "beta"}[self._side]

    def _own(self, state: State) -> State:
        side: State = state["sides"][self._side]
        return side

    def engine(self) -> EngineFacts:
        side = self._own(self._world.state)
        return EngineFacts(
            name=self.name,
            engine_id=("a" if self._side == "source" else "b") * 32,
            version="1",
            fingerprint=("a" if self._side == "source" else "b") * 64,
            addresses=(side["address"],),
            control_port=6320,
            data_port=6321,
            probe_port=6320,
            capture="fuse",
            capture_says="",
            boot_id="1",
            clock_offset_s=0.0,
            peers=tuple(side["peers"]),
        )

    def facts(self, paths: Sequence[str] = ()) -> HostFacts:
        side = self._own(self._world.state)
        found = tuple(self._path(side, path) for path in paths)
        return HostFacts(self.name, ((side["address"], "eth0"),), found, ())

    def _path(self, side: State, path: str) -> PathFacts:
        if path not in side["directories"]:
            return PathFacts(path, exists=False)
        return PathFacts(path, True, "directory", 1000, 10**9, "ext4", side["directories"][path])

    def samba(self, conf: str, keytabs: Sequence[str] = (), sids: Sequence[str] = ()) -> Samba:
        return Samba(installed=False, conf=conf, problems=("Samba is not installed here",))

    def call(self, script: str, arguments: Mapping[str, Any], *, deed: bool = True) -> tuple[Mapping[str, Any], ...]:
        raise GiveUp(f"{self.name} does not run Windows")

    def windows(self, ask: WindowsAsk = USUAL) -> Windows:
        raise GiveUp(f"{self.name} does not run Windows")

    def own_keytab(self, path: str, owner: int, mode: int) -> None:
        raise GiveUp(f"{path} is no keytab of {self.name}")

    def make_directory(self, path: str, mode: int = 0o755) -> None:
        parts = path.strip("/").split("/")
        for count in range(1, len(parts) + 1):
            with self._world.change() as state:
                self._own(state)["directories"].setdefault("/" + "/".join(parts[:count]), 0)
            self._world.halfway()

    def remove_directory(self, path: str) -> None:
        with self._world.change() as state:
            directories = self._own(state)["directories"]
            if directories.get(path) == 0:
                del directories[path]

    def services(self, wanted: Sequence[Mapping[str, Any]] = ()) -> tuple[ServiceFacts, ...]:
        state = self._world.state
        side = self._own(state)
        managed = {one["name"] for record in side["records"].values() for one in record["document"]["services"]}
        names = dict.fromkeys([*managed, *(one["name"] for one in wanted)])
        return tuple(self._service(side, name, managed=name in managed) for name in names)

    def _service(self, side: State, name: str, *, managed: bool) -> ServiceFacts:
        state = side["services"].get(name, "stopped")
        return ServiceFacts(
            name, state, state == "running", managed=managed, start_type=side["start_types"].get(name, "")
        )

    def start_service(self, name: str) -> None:
        with self._world.change() as state:
            side = self._own(state)
            owner = next((one for one, record in side["records"].items() if name in _names(record)), None)
            if owner is None:
                raise GiveUp(f"{name} is not managed on {self.name}")
            if self._world.fenced(state, self._side, owner):
                raise GiveUp(f"{self.name} is fenced")
            side["wanted"] = sorted({*side["wanted"], name})
            if side["services"].get(name) == "running":
                return
            side["services"][name] = "starting"
        self._world.halfway()
        self._set_service(name, "running")

    def stop_service(self, name: str, service: Mapping[str, Any] | None = None) -> None:
        with self._world.change() as state:
            side = self._own(state)
            side["wanted"] = [one for one in side["wanted"] if one != name]
            if side["services"].get(name, "stopped") == "stopped":
                return
            side["services"][name] = "stopping"
        self._world.halfway()
        self._set_service(name, "stopped")

    def _set_service(self, name: str, value: str) -> None:
        with self._world.change() as state:
            self._own(state)["services"][name] = value

    def set_start_type(self, service: Mapping[str, Any], start_type: str) -> None:
        with self._world.change() as state:
            self._own(state)["start_types"][service["name"]] = start_type

    # -- protections

    def protection(self, protection: str) -> ProtectionView | None:
        self._go_on_by_itself(protection)
        state = self._world.state
        record = self._own(state)["records"].get(protection)
        if record is None:
            return None
        return ProtectionView(
            protection,
            self._side,
            record["document"]["epoch"],
            self._world.fenced(state, self._side, protection),
            record["monitor"],
            record["phase"],
        )

    def protections(self) -> tuple[tuple[str, str], ...]:
        return tuple((one, self._side) for one in self._own(self._world.state)["records"])

    def put_protection(self, document: Mapping[str, Any]) -> None:
        with self._world.change() as state:
            records = self._own(state)["records"]
            known = records.get(document["id"])
            if known is not None and document["epoch"] < known["document"]["epoch"]:
                raise GiveUp(f"epoch {document['epoch']} is older than the one {self.name} knows")
            fresh = {"fence": False, "monitor": False, "promoted": None, "phase": "idle"}
            records[document["id"]] = (known or fresh) | {"document": dict(document)}
            if known and known["document"]["epoch"] < document["epoch"]:
                records[document["id"]]["phase"] = "idle"
            witness = state["witness"]
            if self._side == "source" and not witness["epoch"]:
                witness.update(epoch=document["epoch"], holder="source", released=False)

    def protection_document(self, protection: str) -> Mapping[str, Any] | None:
        record = self._own(self._world.state)["records"].get(protection)
        return record["document"] if record else None

    def remove_protection(self, protection: str) -> None:
        with self._world.change() as state:
            side = self._own(state)
            side["records"].pop(protection, None)
            side["scripts"] = {
                key: text for key, text in side["scripts"].items() if not key.startswith(f"{protection}/")
            }
            if self._side == "source":
                state["witness"] = {"epoch": 0, "holder": "", "released": True}

    def act(self, protection: str, action: str, settings: Mapping[str, Any]) -> None:
        if protection not in self._own(self._world.state)["records"]:
            raise GiveUp(f"{self.name} has no part in {protection}")
        deeds: dict[str, Callable[[], None]] = {
            "enable_monitor": lambda: self._mark(protection, monitor=True),
            "disable_monitor": lambda: self._mark(protection, monitor=False),
            "fence": lambda: self._fence(protection),
            "unfence": lambda: self._mark(protection, fence=False),
            "release": lambda: self._release(protection),
            "set_epoch": lambda: self._take(protection, settings["epoch"]),
            "failover": lambda: self._fail_over(protection, settings),
            "continue_failover": lambda: self._fail_over(protection, settings),
            "undo_failover": lambda: self._mark(protection, phase="idle"),
        }
        deeds[action]()

    def _mark(self, protection: str, **values: Any) -> None:
        with self._world.change() as state:
            self._own(state)["records"][protection].update(values)

    def _fence(self, protection: str) -> None:
        with self._world.change() as state:
            side = self._own(state)
            side["records"][protection]["fence"] = True
            for name in _names(side["records"][protection]):
                if name in side["services"]:
                    side["services"][name] = "stopped"

    def _release(self, protection: str) -> None:
        self._fence(protection)
        self._world.halfway()
        with self._world.change() as state:
            if state["witness"]["holder"] == self._side:
                state["witness"]["released"] = True

    def _take(self, protection: str, epoch: int) -> None:
        with self._world.change() as state:
            self._grant(state, epoch)
        self._world.halfway()
        with self._world.change() as state:
            record = self._own(state)["records"][protection]
            record["document"]["epoch"] = epoch
            record.update(fence=False, promoted=epoch if self._side == "target" else None)
            if self._side == "target":
                for replica in self._own(state)["replicas"].values():
                    replica.update(promoted=True, epoch=epoch)
        with self._world.change() as state:
            side = self._own(state)
            for name in side["wanted"]:
                side["services"][name] = "running"

    def _grant(self, state: State, epoch: int) -> None:
        witness = state["witness"]
        if (witness["epoch"], witness["holder"]) == (epoch, self._side) and not witness["released"]:
            return
        if witness["epoch"] != epoch - 1 or not witness["released"]:
            raise GiveUp(f"the witness refuses epoch {epoch} to {self.name}: {witness}")
        witness.update(epoch=epoch, holder=self._side, released=False)

    # -- failover: the engine goes on by itself once it has begun

    def _fail_over(self, protection: str, settings: Mapping[str, Any]) -> None:
        with self._world.change() as state:
            record = self._own(state)["records"][protection]
            epoch = record["document"]["epoch"] + 1
            if settings.get("forced"):
                state["witness"]["released"] = True
            self._grant(state, epoch)
            record["phase"] = "granted"
        self._world.halfway()

    def _go_on_by_itself(self, protection: str) -> None:
        state = self._world.state
        record = self._own(state)["records"].get(protection)
        if record is None or record["phase"] != "granted":
            return
        side = self._own(state)
        epoch = record["document"]["epoch"] + 1
        record["document"]["epoch"] = epoch
        record.update(promoted=epoch, phase="done", fence=False)
        for replica in side["replicas"].values():
            replica.update(promoted=True, epoch=epoch)
        side["captured"] = sorted({*side["captured"], *(root["target_path"] for root in record["document"]["roots"])})
        for name in _names(record):
            side["services"][name] = "running"
            side["wanted"] = sorted({*side["wanted"], name})
        state["names"].update(state["names_after"])
        side["data"] += 1
        self._world.save(state)

    # -- scripts

    def deliver_script(self, protection: str, name: str, text: str) -> None:
        with self._world.change() as state:
            if protection not in self._own(state)["records"]:
                raise GiveUp(f"{self.name} has no part in {protection}")
            self._own(state)["scripts"][f"{protection}/{name}"] = text

    def script_text(self, protection: str, name: str) -> str | None:
        text: str | None = self._own(self._world.state)["scripts"].get(f"{protection}/{name}")
        return text

    def changed_scripts(self, protection: str) -> tuple[str, ...]:
        return ()

    def run_script(
        self, protection: str, name: str, run_id: str, segments: Sequence[str], *, undo: bool, epoch: int
    ) -> None:
        for value in ("running", "done"):
            with self._world.change() as state:
                word = "undone" if undo else "done"
                run = {"state": value, "steps": dict.fromkeys(segments, word)}
                self._own(state)["runs"][f"{run_id}.{name}"] = run
            self._world.halfway()

    def script_run(self, run_id: str, name: str) -> ScriptRun | None:
        run = self._own(self._world.state)["runs"].get(f"{run_id}.{name}")
        if run is None:
            return None
        state = "interrupted" if run["state"] == "running" else run["state"]
        return ScriptRun(run_id, state, run["steps"], ended_at_s=run.get("ended_at_s"))


def _names(record: State) -> list[str]:
    return [one["name"] for one in record["document"]["services"]]
