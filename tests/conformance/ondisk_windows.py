"""The on-disk world of two Windows servers with Storage Replica: hosts without an engine, whose executor is the test's own process.

A side serves when its Server service runs, its volume is up and it has a share of the data. Both at once is written down as a violation.
"""

# ruff: noqa: ARG002 - the ports' signatures
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from orchestrator.model.host import Host, HostFacts, ProtectionView
from orchestrator.model.inventory import EngineFacts, PathFacts
from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.ports import HealthProbe
from orchestrator.model.servers import Where
from orchestrator.model.shares import Samba
from orchestrator.model.windows import (
    USUAL,
    DnsClient,
    FirewallGroup,
    Windows,
    WindowsAddress,
    WindowsAsk,
    WindowsDisk,
    WindowsService,
    WindowsShare,
    WindowsVolume,
)
from tests.conformance.ondisk import ALIVE, SIDES, DiskHost, State, World, new_world
from tests.conformance.replica_hosts import ReplicaHost, new_servers

SMB_IN = "@FirewallAPI.dll,-28502"
SMB_SERVER: dict[str, Any] = {
    "EnableStrictNameChecking": False,
    "SmbServerNameHardeningLevel": 0,
    "RequireSecuritySignature": True,
    "EncryptData": False,
    "EnableSMB1Protocol": False,
}
NAMES = {"source": "alpha", "target": "beta"}
SHARE = {"name": "data", "path": r"E:\data", "sddl": "O:SYG:SYD:(A;;0x1301bf;;;S-1-5-21-1-2-3-513)"}


def new_windows_world() -> State:
    """Two servers, the source's Server service sharing a directory out; nobody knows dtam."""
    state = new_world() | new_servers()
    for side in SIDES:
        state["sides"][side] |= {"services": {"server": "running"}, "start_types": {"server": "automatic"}}
        state["sides"][side] |= {"shares": [], "answers": [], "opened": 0}
    state["sides"]["source"]["shares"] = [SHARE]
    state |= {"granted": 0, "held_back": False, "spns": "source"}
    record, after = ({"ttl_s": 60, "data": [address]} for address in ("10.0.0.1", "10.0.0.2"))
    state["names"] = {"files.lab.example. A": record}
    state["names_after"] = {"files.lab.example. A": after}
    return state


class WindowsWorld(World):
    """The file, and who serves."""

    def serves(self, state: State, side: str) -> bool:
        own = state["sides"][side]
        up = state["servers"][NAMES[side]]["volumes"]["E:"]["up"]
        return bool(own["services"].get("server") in ALIVE and own["shares"] and up and not self.down(state, side))

    def down(self, state: State, side: str) -> bool:
        """Whether nobody answers there."""
        return bool(state["servers"][NAMES[side]]["down"])

    def fenced(self, state: State, side: str, protection: str) -> bool:
        record = state["sides"][side]["records"].get(protection)
        return record is not None and bool(
            record["fence"] or state["sides"][side]["opened"] != record["document"]["epoch"]
        )


class WindowsDiskHost(DiskHost):
    """The ``Host`` port over one side."""

    def __init__(self, world: WindowsWorld, where: Where) -> None:
        super().__init__(world, where)
        self._windows_world = world
        self._replica = ReplicaHost(world, NAMES[where.value])  # type: ignore[arg-type]  # it wants state, change and halfway

    def _answers(self) -> State:
        state = self._windows_world.state
        if self._windows_world.down(state, self._side):
            raise TryAgain(f"{self.name} does not answer")
        return state

    def call(self, script: str, arguments: Mapping[str, Any], *, deed: bool = True) -> tuple[Mapping[str, Any], ...]:
        mends: dict[str, Callable[[State, Mapping[str, Any]], None]] = {
            "set_smb_server": _set_smb_server,
            "set_firewall_group": _set_firewall,
            "set_dns_registration": _set_registration,
        }
        if script in mends:
            with self._world.change() as state:
                mends[script](self._own(state).setdefault("facts", {}), arguments)
            return ({"changed": True},)
        return self._replica.call(script, arguments, deed=deed)

    def engine(self) -> EngineFacts:
        raise GiveUp(f"{self.name} runs Windows: it has no engine")

    def samba(self, conf: str, keytabs: Sequence[str] = (), sids: Sequence[str] = ()) -> Samba:
        raise GiveUp(f"{self.name} runs Windows: it has no Samba")

    def windows(self, ask: WindowsAsk = USUAL) -> Windows:
        """What stands in the world, with what was planted over it."""
        side = self._own(self._answers())
        built: dict[str, Any] = msgspec.to_builtins(self._sound(side)) | side.get("facts", {})
        unknown = [one for one in built["unresolved_sids"] if one in ask.sids]
        return msgspec.convert(built | {"unresolved_sids": unknown}, Windows)

    def _sound(self, side: State) -> Windows:
        state = side["services"]["server"]
        return Windows(
            computer_name=self.name.upper(),
            dns_name=f"{self.name}.lab.example",
            domain="lab.example",
            role="member-server",
            os_version="10.0.17763",
            account="LAB\\dtam",
            elevated=True,
            language_mode="FullLanguage",
            clock_offset_s=0.0,
            local_sid="S-1-5-21-9-9-9" if self._side == "source" else "S-1-5-21-8-8-8",
            services=(WindowsService("LanmanServer", "Server", state, side["start_types"]["server"]),),
            shares=tuple(WindowsShare(one["name"], one["path"], sddl=one["sddl"]) for one in side["shares"]),
            smb_server=SMB_SERVER,
            addresses=(WindowsAddress(side["address"], 24, "LAN"),),
            dns_clients=(DnsClient("LAN", ("10.0.0.53",), registers=False),),
            volumes=tuple(
                WindowsVolume(letter, paths=(f"{letter}:\\",), bytes=10**11, free_bytes=10**10, disk=number)
                for number, letter in enumerate("CEL")
            ),
            disks=tuple(WindowsDisk(number, partition_style="GPT", sector_bytes=512) for number in range(3)),
            features=("FS-FileServer", "Storage-Replica"),
            firewall=(FirewallGroup(SMB_IN, "File and Printer Sharing", rules=4, enabled_inbound=4),),
        )

    def facts(self, paths: Sequence[str] = ()) -> HostFacts:
        state = self._answers()
        up = state["servers"][self.name]["volumes"]["E:"]["up"]
        found = (
            PathFacts(one, True, "directory", 1000, 10**9, "NTFS", 3) if up else PathFacts(one, exists=False)
            for one in paths
        )
        return HostFacts(self.name, ((self._own(state)["address"], "LAN"),), tuple(found), ())

    def protection(self, protection: str) -> ProtectionView | None:
        state = self._answers()
        record = self._own(state)["records"].get(protection)
        if record is None:
            return None
        epoch, sticky = record["document"]["epoch"], record["fence"]
        return ProtectionView(protection, self._side, epoch, sticky, monitor=False)

    def put_protection(self, document: Mapping[str, Any]) -> None:
        self._answers()
        super().put_protection(document)

    def remove_protection(self, protection: str) -> None:
        self._answers()
        with self._world.change() as state:
            side = self._own(state)
            side["records"].pop(protection, None)
            side["scripts"] = {
                one: text for one, text in side["scripts"].items() if not one.startswith(f"{protection}/")
            }
            if not any(state["sides"][one]["records"] for one in SIDES):
                state["granted"] = 0

    def services(self, wanted: Sequence[Mapping[str, Any]] = ()) -> Any:
        self._answers()
        return super().services(wanted)

    def start_service(self, name: str) -> None:
        """As the Server service may run on the target meanwhile, what is not in its document is nobody's business."""
        state = self._answers()
        guarded = {
            one["name"] for record in self._own(state)["records"].values() for one in record["document"]["services"]
        }
        if name in guarded:
            super().start_service(name)
        else:
            self._set_service(name, "running")

    def act(self, protection: str, action: str, settings: Mapping[str, Any]) -> None:
        if protection not in self._own(self._answers())["records"]:
            raise GiveUp(f"{self.name} has no part in {protection}")
        deeds: dict[str, Callable[[], None]] = {
            "fence": lambda: self._fence(protection),
            "unfence": lambda: self._mark(protection, fence=False),
            "set_epoch": lambda: self._open(protection, settings["epoch"]),
        }
        deeds[action]()

    def _open(self, protection: str, epoch: int) -> None:
        with self._world.change() as state:
            side, record = self._own(state), self._own(state)["records"][protection]
            if epoch < record["document"]["epoch"]:
                raise GiveUp(f"epoch {epoch} is older than the one {self.name} knows")
            if state["granted"] not in {0, epoch}:
                state["violations"].append(f"{self.name} was opened under {epoch} while {state['granted']} is granted")
            record["document"]["epoch"] = epoch
            record["fence"] = False
            side["opened"] = epoch

    def run_script(
        self, protection: str, name: str, run_id: str, segments: Sequence[str], *, undo: bool, epoch: int
    ) -> None:
        self._answers()
        for segment in segments:
            self._segment(segment, undo=undo)
            self._world.halfway()
        super().run_script(protection, name, run_id, segments, undo=undo, epoch=epoch)

    def _segment(self, segment: str, *, undo: bool) -> None:
        puts = {"put-shares": ("shares", [SHARE]), "take-names": ("answers", ["ALPHA"])}
        takes = {"take-shares-away": "put-shares", "give-names-back": "take-names"}
        field, value = puts[takes.get(segment, segment)]
        with self._world.change() as state:
            self._own(state)[field] = [] if (segment in takes) != undo else value


def _set_smb_server(facts: State, given: Mapping[str, Any]) -> None:
    facts["smb_server"] = SMB_SERVER | facts.get("smb_server", {}) | given["options"]


def _set_firewall(facts: State, given: Mapping[str, Any]) -> None:
    for group in facts["firewall"]:
        if group["group"] == given["group"]:
            group["enabled_inbound"] = group["rules"] if given["enabled"] else 0


def _set_registration(facts: State, given: Mapping[str, Any]) -> None:
    for client in facts["dns_clients"]:
        if client["interface"] == given["interface"]:
            client["registers"] = given["registers"]


class DiskGrants:
    """The ``Grants`` port: a holder that is silent has surely stopped here, one that answers must be fenced."""

    def __init__(self, world: WindowsWorld) -> None:
        self._world = world

    def granted(self, protection: str) -> int:
        return int(self._world.state["granted"])

    def grant(self, protection: str, epoch: int, holder: Host, *, forced: bool, by: str) -> None:
        with self._world.change() as state:
            if state["granted"] >= epoch:
                return
            state["held_back"] = True
        self._world.halfway()
        with suppress(TryAgain):
            view = holder.protection(protection)
            if view is not None and not view.fenced and not forced:
                raise GiveUp(f"{holder.name} is not fenced")
        with self._world.change() as state:
            state.update(granted=epoch, held_back=False)

    def lease(self, protection: str, epoch: int, holder: Host) -> None:
        view = holder.protection(protection)
        if view is None or view.fenced or view.epoch != epoch:
            raise GiveUp(f"{holder.name} takes no lease of epoch {epoch}")

    def give_again(self, protection: str, epoch: int) -> None:
        with self._world.change() as state:
            if state["granted"] < epoch:
                state["held_back"] = False


class DiskAccounts:
    """The ``ServiceNames`` port."""

    def __init__(self, world: WindowsWorld) -> None:
        self._world = world

    def taken(self, protection: str, document: Mapping[str, Any]) -> tuple[bool, str]:
        owner = self._world.state["spns"]
        return owner == "target", f"they are the {owner}'s"

    def take(self, protection: str, document: Mapping[str, Any]) -> None:
        self._move("target")

    def given_back(self, protection: str, document: Mapping[str, Any]) -> tuple[bool, str]:
        owner = self._world.state["spns"]
        return owner == "source", f"they are the {owner}'s"

    def give_back(self, protection: str, document: Mapping[str, Any]) -> None:
        self._move("source")

    def _move(self, owner: str) -> None:
        for value in ("nobody", owner):
            with self._world.change() as state:
                state["spns"] = value
            self._world.halfway()


class WindowsDiskClients:
    """A client: it asks DNS, then whoever serves at the address, with a ticket for the account that owns the name."""

    def __init__(self, world: WindowsWorld) -> None:
        self._world = world

    def ask(self, probe: HealthProbe) -> str:
        state = self._world.state
        found = state["names"].get(f"{probe.name.rstrip('.')}. A", {"data": []})
        for side in SIDES:
            here = state["sides"][side]["address"] in found["data"]
            if here and self._world.serves(state, side) and state["spns"] == side:
                return f"{probe.name} was answered by {side}"
        raise TryAgain(f"nobody answers at {', '.join(found['data']) or probe.name}", after_s=0.1)
