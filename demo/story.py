"""The story of the demo, chapter by chapter, told with the commands an administrator would type.

Nothing is pretended: each chapter runs the real programs and waits for what they report. What the client saw is measured by
the client.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from pathlib import Path

from demo.administrator import Administrator
from demo.client import Client, Name, Written
from demo.comparing import compare_trees
from demo.hosts import DemoHost, wait_until
from demo.narrator import Narrator
from demo.report import Found
from demo.stage import CLIENT_NAME, DNS_PORT, PLANTED_TTL_S, SERVICE_PORT, Stage

RATE_PER_S = 260.0
WORK_BEFORE_S, WORK_ON_TARGET_S, WORK_AFTER_S = 7.0, 4.0, 2.0
ASKED_THROUGH_THE_NAME = 200


class Story:
    """The chapters in order. What they find out is gathered in ``found``."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        self._stage = stage
        self._narrator = narrator
        self._admin = Administrator(stage, narrator)
        self._client = Client(Name(CLIENT_NAME, stage.third.address, DNS_PORT), SERVICE_PORT, RATE_PER_S)
        self.found = Found()

    def tell(self) -> None:
        """All chapters; the client is stopped whatever happens."""
        try:
            for name, why, chapter in self._chapters():
                with self._narrator.chapter(name, why):
                    chapter()
        finally:
            self._client.stop()
            self.found.steps = self._narrator.steps

    def _chapters(self) -> tuple[tuple[str, str, Callable[[], None]], ...]:
        load = f"{RATE_PER_S:.0f} requests a second through {CLIENT_NAME}"
        return (
            ("The hosts start", "two engines, a witness, a DNS server", self._start),
            ("Discover", "what dtam finds on both servers", self._discover),
            ("Validate", "nothing is changed; what is wrong is named", self._validate),
            ("Fix", "what can be mended is mended, and validated again", self._fix),
            ("Enable", "capture, mirror, scripts, monitor", self._enable),
            ("A client at work", load, self._work),
            ("The source loses power", "kill -9 of everything on alpha", self._cut_power),
            ("Failover", "beta decides and acts by itself; the client goes on", self._await_failover),
            ("The old source comes back", "and stays fenced: the epoch is beta's now", self._come_back),
            ("Failback", "what changed is restored while beta serves; then alpha serves again", self._failback),
            ("Protected again", "every acknowledged write looked for, both sides compared", self._prove),
        )

    def _start(self) -> None:
        self._stage.set_up()
        self._narrator.says("planted: beta has no directory for the data, clients' DNS records live")
        self._narrator.says(f"         {PLANTED_TTL_S} s, and nobody has introduced the engines to each other")

    def _discover(self) -> None:
        stage = self._stage
        for host in (stage.alpha, stage.beta):
            self._admin.types(
                "hosts", "add", host.name, "--address", host.address, "--fingerprint", stage.fingerprint(host),
                "--token-file", str(stage.token_file(host)),
            )  # fmt: skip
        self._admin.types("--fileprint", "discover")
        self._admin.types("--fileprint", "configure", "--file", str(stage.protection_file), shows_last=1)

    def _validate(self) -> None:
        self._admin.types("--fileprint", "validate", may_fail=True, hides="passed")

    def _fix(self) -> None:
        self._admin.types("--fileprint", "validate", "--fix", "--yes", hides="passed", from_line="fix of")

    def _enable(self) -> None:
        self._admin.types("--fileprint", "enable", "--yes")
        self.found.capture = self._stage.capture_kind()
        self.found.mirrored_bytes = self._admin.connection()["mirror_bytes_sent"]

    def _work(self) -> None:
        self._client.start()
        self._watch_work(WORK_BEFORE_S)
        record = self._client.record
        with record.lock:
            requests = len(record.written) + record.reads
        self.found.requests_per_s = round(requests / WORK_BEFORE_S, 1)
        connection = self._admin.connection()
        self.found.replicated_bytes = connection["replication_bytes_sent"]
        self._narrator.says(
            f"{self.found.requests_per_s:.0f} requests a second answered; target data {connection['target_data_state']}, "
            f"{connection['replication_bytes_sent'] / 1e6:.1f} MB replicated, {connection['lag_s'] * 1000:.0f} ms behind"
        )
        record.start_watching_silence()

    def _cut_power(self) -> None:
        self.found.cut_ns = time.time_ns()
        killed = self._stage.alpha.cut_power()
        self._narrator.event(f"{killed} processes of alpha are gone at once: engine, capture, file service")

    def _await_failover(self) -> None:
        record = self._client.record
        wait_until(lambda: record.silence_ended_by == "beta", 45, "an answer from beta to the client")
        self.found.outage_s = round(record.longest_silence_s, 2)
        self._narrator.says(f"the client was without an answer for {self.found.outage_s:.1f} s, and goes on at beta")
        wait_until(lambda: self._failover_event("failover done") > 0, 15, "the end of the failover")
        condition_ns = self._failover_event("failover condition met")
        self.found.detection_s = round((condition_ns - self.found.cut_ns) / 1e9, 2)
        self.found.failover_s = round((self._failover_event("failover done") - condition_ns) / 1e9, 2)
        for event in self._stage.events(self._stage.beta):
            if event["kind"] == "failover" and event["time_ns"] >= condition_ns:
                self._narrator.says(f"[dim]beta:[/] {event['sentence']}")
        self._look_for_lost_writes()
        self._watch_work(WORK_ON_TARGET_S)

    def _come_back(self) -> None:
        stage = self._stage
        stage.start_engine(stage.alpha)
        wait_until(lambda: self._admin.status()["source"]["fenced"], 15, "the fence of the old source")
        source = self._admin.status()["source"]
        self._narrator.says(f"alpha is fenced: {source['fence_reason']}; its service: {source['services'][0]['state']}")
        self.found.fenced_after_return = bool(source["fenced"])

    def _failback(self) -> None:
        self._client.record.start_watching_silence()
        self._admin.types("--fileprint", "failback", "--yes")
        record = self._client.record
        wait_until(lambda: record.silence_ended_by == "alpha", 20, "an answer from alpha to the client")
        self.found.failback_outage_s = round(record.longest_silence_s, 2)
        mirrors = [event for event in self._stage.events(self._stage.beta) if event["kind"] == "mirror"]
        self.found.restored_bytes = mirrors[-1]["facts"]["sent_bytes"] if mirrors else 0
        self.found.set_aside = self._stage.set_aside()
        for path in self.found.set_aside:
            self._narrator.says(f"set aside before it was overwritten: {path}")

    def _prove(self) -> None:
        self._watch_work(WORK_AFTER_S)
        self._client.stop()
        wait_until(self._in_step, 30, "the target being in step")
        self._admin.types("--fileprint", "status")
        missing = self._missing(self._stage.alpha)
        lost = {write["name"] for write in self.found.lost_writes}
        self.found.missing_writes = sorted(write.name for write in missing if write.name not in lost)
        record = self._client.record
        self.found.acknowledged_writes = len(record.written)
        self.found.reads, self.found.wrong_reads = record.reads, [one for one in record.wrong_reads if one not in lost]
        comparison = compare_trees(self._stage.data(self._stage.alpha), self._stage.data(self._stage.beta))
        self.found.files_compared, self.found.files_different = comparison.compared, list(comparison.different)

    def _watch_work(self, for_s: float) -> None:
        with self._narrator.bar("the client works") as bar:
            task = bar.add_task("", total=for_s)
            deadline_s = time.monotonic() + for_s
            while (left_s := deadline_s - time.monotonic()) > 0:
                time.sleep(min(0.1, left_s))
                bar.update(task, completed=for_s - left_s)

    def _failover_event(self, begins: str) -> int:
        events = self._stage.events(self._stage.beta)
        times = [e["time_ns"] for e in events if e["kind"] == "failover" and e["sentence"].startswith(begins)]
        return int(times[-1]) if times else 0

    def _look_for_lost_writes(self) -> None:
        """Look for every write that alpha answered. What is not there must not have been acknowledged."""
        through_ns = self._stage.acknowledged_through_ns()
        lost = [write for write in self._missing(self._stage.beta) if write.served_by == "alpha"]
        self.found.lost_writes = [
            {"name": w.name, "answered_at_ns": w.answered_ns, "after_last_acknowledged_s": _after_s(w, through_ns)}
            for w in lost
        ]
        self._narrator.says(
            f"of the writes that alpha had answered, {len(lost)} had not reached beta when the power went"
        )

    def _missing(self, host: DemoHost) -> list[Written]:
        """Every write looked for on the host that serves, and some of them asked for through the name as well."""
        with self._client.record.lock:
            written = list(self._client.record.written)
        asked = set(random.Random(len(written)).sample(range(len(written)), min(ASKED_THROUGH_THE_NAME, len(written))))
        data = self._stage.data(host)
        return [
            write
            for number, write in enumerate(written)
            if not _is_at(data, write) or (number in asked and not self._is_served(write))
        ]

    def _is_served(self, write: Written) -> bool:
        body = self._client.fetch(write.name)
        return body is not None and hashlib.sha256(body).hexdigest() == write.digest

    def _in_step(self) -> bool:
        connection = self._admin.connection()
        return connection["target_data_state"] in {"good", "not_claimed"} and connection["replication_queue_bytes"] == 0


def _is_at(data: Path, write: Written) -> bool:
    path = data / write.name
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == write.digest


def _after_s(write: Written, through_ns: int) -> float | None:
    """How long after the last acknowledged operation it was answered; None where single writes are not acknowledged."""
    return round((write.answered_ns - through_ns) / 1e9, 4) if through_ns else None
