"""The client of the demo: it knows a name, a port and its DNS server, and nothing of failover.

Several workers write small files and read them back through the name, at a set pace. A request that fails is tried again
until it succeeds, resolving the name anew, as any decent client does. Every answer is kept with its time, so that afterwards
it can be said which writes were acknowledged, how long nothing was answered, and whether anything read was wrong.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from dataclasses import dataclass, field

import dns.exception
import dns.resolver
import urllib3


@dataclass(frozen=True, slots=True)
class Written:
    """A write that the service answered: its name, content digest, and when the answer came (realtime ns)."""

    name: str
    digest: str
    answered_ns: int
    served_by: str


@dataclass(slots=True)
class Record:
    """What a client saw. Shared by its workers; ``lock`` guards all of it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    written: list[Written] = field(default_factory=list)
    reads: int = 0
    wrong_reads: list[str] = field(default_factory=list)
    failures: int = 0
    last_answer_s: float = 0.0
    longest_silence_s: float = 0.0
    silence_ended_by: str = ""

    def answered(self, served_by: str) -> None:
        """Note an answer; the longest gap between two answers is the outage as this client saw it."""
        now = time.monotonic()
        if self.last_answer_s and now - self.last_answer_s > self.longest_silence_s:
            self.longest_silence_s = now - self.last_answer_s
            self.silence_ended_by = served_by
        self.last_answer_s = now

    def start_watching_silence(self) -> None:
        """Forget earlier gaps: from now on the longest silence is measured."""
        with self.lock:
            self.longest_silence_s = 0.0


class Name:
    """A name resolved at one DNS server, remembered for as long as its TTL allows."""

    def __init__(self, name: str, server: str, port: int) -> None:
        self.name = name
        self._resolver = dns.resolver.Resolver(configure=False)
        self._resolver.nameservers = [server]
        self._resolver.port = port
        self._resolver.lifetime = 1.0
        self._lock = threading.Lock()
        self._address = ""
        self._expires_s = 0.0

    def address(self) -> str:
        """The address to talk to now; raises ``dns.exception.DNSException`` when the server does not answer."""
        with self._lock:
            if time.monotonic() >= self._expires_s:
                answer = self._resolver.resolve(self.name, "A")
                self._address = str(answer[0])
                self._expires_s = time.monotonic() + float(answer.rrset.ttl if answer.rrset else 0)
            return self._address

    def forget(self) -> None:
        """The address did not serve: ask again next time. Clients re-resolve after a failed connection."""
        with self._lock:
            self._expires_s = 0.0


class Client:
    """Workers that write and read through a name until told to stop."""

    def __init__(self, name: Name, port: int, rate_per_s: float, workers: int = 6, seed: int = 1) -> None:
        self.record = Record()
        self._name = name
        self._port = port
        self._pause_s = workers / rate_per_s
        self._stop = threading.Event()
        self._http = urllib3.PoolManager(num_pools=4, maxsize=workers, retries=False, timeout=urllib3.Timeout(0.5))
        self._threads = [
            threading.Thread(target=self._work, args=(number, random.Random(seed + number)), daemon=True)
            for number in range(workers)
        ]

    def start(self) -> None:
        """Begin the load."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the load and wait for the requests under way."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:  # the story may have broken before the load began
                thread.join()

    def fetch(self, name: str, within_s: float = 20.0) -> bytes | None:
        """The file as the service has it now, or None when it has none; asked again while nobody answers."""
        deadline_s = time.monotonic() + within_s
        while True:
            try:
                answer = self._http.request("GET", f"http://{self._name.address()}:{self._port}/{name}")
            except (urllib3.exceptions.HTTPError, dns.exception.DNSException):
                self._name.forget()
                if time.monotonic() > deadline_s:
                    raise
            else:
                return answer.data if answer.status == 200 else None

    def _work(self, worker: int, rng: random.Random) -> None:
        mine: list[tuple[str, str]] = []
        due_s = time.monotonic() + rng.random() * self._pause_s
        number = 0
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + self._pause_s, time.monotonic() - 1.0)
            if mine and rng.random() < 0.4:
                self._read(*rng.choice(mine))
                continue
            number += 1
            name = f"w{worker}-{number:06d}.txt"
            if digest := self._write(name, rng.randbytes(rng.randrange(200, 6000))):
                mine.append((name, digest))

    def _write(self, name: str, body: bytes) -> str:
        digest = hashlib.sha256(body).hexdigest()
        answer = self._until_answered("PUT", name, body)
        if answer is None:
            return ""
        served_by = answer.headers.get("X-Served-By", "?")
        with self.record.lock:
            self.record.written.append(Written(name, digest, time.time_ns(), served_by))
        return digest

    def _read(self, name: str, digest: str) -> None:
        answer = self._until_answered("GET", name, None)
        if answer is None:
            return
        with self.record.lock:
            self.record.reads += 1
            if hashlib.sha256(answer.data).hexdigest() != digest:
                self.record.wrong_reads.append(name)

    def _until_answered(self, method: str, name: str, body: bytes | None) -> urllib3.BaseHTTPResponse | None:
        while not self._stop.is_set():
            try:
                url = f"http://{self._name.address()}:{self._port}/{name}"
                answer = self._http.request(method, url, body=body)
            except (urllib3.exceptions.HTTPError, dns.exception.DNSException):
                answer = None
            # A file that is not there is an answer (the read is judged wrong later); a service in trouble is not.
            if answer is not None and answer.status < 500:
                with self.record.lock:
                    self.record.answered(answer.headers.get("X-Served-By", "?"))
                return answer
            self._failed()
        return None

    def _failed(self) -> None:
        with self.record.lock:
            self.record.failures += 1
        self._name.forget()
        self._stop.wait(0.02)
