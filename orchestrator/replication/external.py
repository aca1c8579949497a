"""Replication by a tool that somebody else runs: the ``Replication`` port over the user's own commands.

dtam moves no byte of it. It asks the tool how the data stands (JSON, with the age of what the receiving side holds), waits for it,
and tells it of a failover by the commands that were given: promote, reverse, pause and resume. What was not given is not offered.
A command that fails is not an answer; neither is text that is not JSON, nor an age that nobody said.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from orchestrator.model.capabilities import capabilities
from orchestrator.model.inventory import ReplicaFacts
from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.ports import Link, LinkStatus
from orchestrator.model.servers import Pair, Where
from orchestrator.model.settings import ConnectionTab
from orchestrator.model.settings_replication import ExternalSettings
from orchestrator.replication.errors import refuse
from orchestrator.replication.foreign import ForeignReplication
from orchestrator.replication.storage_replica import Scripted

WAY = "the tool of your own"
AGAIN_S = 1.0
MOST_BYTES = 65536
HINT = "run the command by hand; docs/explanation/replication-ways.md says what it must answer"


class Answer(msgspec.Struct, frozen=True):
    """What ``ask`` says. ``receiving`` false: the receiving side's data lives on its own; ``age_s`` is of what it holds."""

    in_step: bool
    age_s: float
    says: str = ""
    bytes_waiting: int = 0
    receiving: bool = True
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


Run = Callable[[Sequence[str], float], Ended]


def run_here(command: Sequence[str], timeout_s: float) -> Ended:
    """Run a command on this machine, without a shell.

    Raises:
        TryAgain: it did not end in time.
        GiveUp: there is no such program.
    """
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as late:
        raise TryAgain(f"{command[0]} did not answer within {timeout_s:g} s", after_s=AGAIN_S) from late
    except OSError as error:
        raise GiveUp(f"{command[0]} cannot be run: {error.strerror}", HINT) from error
    text = [part[:MOST_BYTES].decode(errors="replace") for part in (done.stdout, done.stderr)]
    return Ended(done.returncode, *text)


def run_there(host: Scripted) -> Run:
    """Run commands on a host, by its script ``external_run``."""

    def run(command: Sequence[str], timeout_s: float) -> Ended:
        (line,) = host.call("external_run", {"command": list(command), "timeout_s": timeout_s})
        return Ended(int(line["code"]), str(line.get("stdout", "")), str(line.get("stderr", "")))

    return run


class ExternalReplication(ForeignReplication):
    """The ``Replication`` port over commands. ``run`` runs one and gives what it wrote."""

    way = WAY

    def __init__(self, pair: Pair, tab: ConnectionTab, run: Run = run_here) -> None:
        if tab.external is None:
            msg = "external replication needs its options"
            raise ValueError(msg)
        self._pair = pair
        self._options: ExternalSettings = tab.external
        self._capabilities = capabilities(tab)
        self._run = run

    @property
    def capabilities(self) -> frozenset[str]:
        """Telling an age, and whatever a command was given for."""
        return self._capabilities

    # -- links

    def connect(self, link: Link) -> None:  # noqa: ARG002
        """Not offered: the tool was set up by whoever runs it."""
        refuse(WAY, "connect")

    def status(self, link: Link) -> LinkStatus | None:
        """What the tool answers; an answer that is older than the limit is not in step."""
        answer = self._ask(link)
        fresh = answer.age_s <= self._options.max_age_s
        state = "Paused" if answer.paused else "Started" if answer.receiving else "Error"
        return LinkStatus(
            state=state,
            data_state="good" if answer.in_step and fresh and answer.receiving else "mirror_required",
            queue_bytes=answer.bytes_waiting,
            lag_s=answer.age_s,
            epoch=link.epoch,
            last_error="" if fresh else f"what the receiving side holds is {answer.age_s:.0f} s old",
            age_s=answer.age_s,
        )

    def disconnect(self, link: Link) -> None:
        """The tool goes on as it was set up: dtam ends nothing that it did not make."""

    def settle(self, link: Link) -> None:
        """The tool says that everything arrived; TryAgain until it does."""
        answer = self._ask(link)
        if answer.paused or not answer.receiving:
            raise GiveUp(f"{WAY} does not replicate now: {answer.says or 'it was paused or promoted'}", HINT)
        if not answer.in_step or answer.bytes_waiting or answer.age_s > self._options.max_age_s:
            says = answer.says or f"{answer.bytes_waiting} bytes waiting, {answer.age_s:.0f} s old"
            raise TryAgain(f"{WAY} is not in step: {says}", after_s=AGAIN_S)

    def replica(self, link: Link) -> ReplicaFacts | None:
        """The receiving side as the tool sees it."""
        answer = self._ask(link)
        return ReplicaFacts(
            source=self._pair.on(link.origin).name,
            replication_set=link.replication_set,
            target_root=link.target_path,
            data_state="good" if answer.in_step else "mirror_required",
            protection=link.protection,
            promoted=not answer.receiving,
        )

    def promote(self, link: Link, epoch: int) -> None:
        """The command ``promote``; whether it did is asked afterwards by ``replica``."""
        self._tell(link, "promote", self._options.promote, epoch)

    def demote(self, link: Link, epoch: int, *, discard_changes: bool) -> None:
        """The direction is the link's again, by the command ``reverse``."""
        answer = self._ask(link)
        if answer.receiving:
            return
        if not discard_changes:
            raise GiveUp("its data was written to", "turning the direction overwrites it: say that it may be discarded")
        self.reverse(link, epoch)

    def reverse(self, link: Link, epoch: int) -> None:
        """The command ``reverse``, with the direction that it is to turn to."""
        self._tell(link, "reverse", self._options.reverse, epoch)

    def pause(self, link: Link) -> None:
        """The command ``pause``."""
        self._tell(link, "pause", self._options.pause, link.epoch)

    def resume(self, link: Link) -> None:
        """The command ``resume``."""
        self._tell(link, "pause", self._options.resume, link.epoch)

    # -- how

    def _ask(self, link: Link) -> Answer:
        ended = self._ended(link, self._options.ask, link.epoch)
        if ended.code != 0:
            raise TryAgain(f"{self._options.ask[0]} says no: {_last_line(ended)}", after_s=AGAIN_S)
        try:
            answer = msgspec.json.decode(ended.stdout, type=Answer)
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            raise GiveUp(f"{self._options.ask[0]} does not answer as dtam asks: {error}", HINT) from error
        if answer.age_s < 0:
            raise GiveUp(f"{self._options.ask[0]} says an age of {answer.age_s:g} s", HINT)
        return answer

    def _tell(self, link: Link, capability: str, command: Sequence[str], epoch: int) -> None:
        if not command:
            refuse(WAY, capability)
        ended = self._ended(link, command, epoch)
        if ended.code != 0:
            raise GiveUp(f"{command[0]} ended with {ended.code}: {_last_line(ended)}", HINT)

    def _ended(self, link: Link, command: Sequence[str], epoch: int) -> Ended:
        words = {
            "{direction}": "out" if link.origin is Where.SOURCE else "back",
            "{source}": str(self._pair.source.name),
            "{target}": str(self._pair.target.name),
            "{protection}": link.protection,
            "{epoch}": str(epoch),
        }
        return self._run([_filled(word, words) for word in command], self._options.timeout_s)


def _filled(word: str, words: Mapping[str, str]) -> str:
    for mark, value in words.items():
        word = word.replace(mark, value)
    return word


def _last_line(ended: Ended) -> str:
    lines = (ended.stderr.strip() or ended.stdout.strip()).splitlines()
    return lines[-1][:300] if lines else "it said nothing"
