"""One connection, from PRELOGIN to its end: who it is, and its requests one after the other; [MS-TDS] 3.3.5.

A thread of its own hears the caller while another one answers: so an attention stops what runs, and who hangs up is noticed.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import ssl
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from tests.lab.sqlserver.engine.port import Failure, Instance, Session, SqlFailure
from tests.lab.sqlserver.wire import requests
from tests.lab.sqlserver.wire.answering import FATAL, Answer
from tests.lab.sqlserver.wire.calling import Procedures
from tests.lab.sqlserver.wire.channel import Channel, HungUp
from tests.lab.sqlserver.wire.packets import Kind, Message, Writing, read_message
from tests.lab.sqlserver.wire.reading import Malformed
from tests.lab.sqlserver.wire.type_catalogue import of_batch
from tests.lab.sqlserver.wire.welcoming import Guest, Welcome

LOG = logging.getLogger(__name__)
WAITING_REQUESTS = 4
LOOK_S = 0.5
"""How often an idle connection looks whether its session was ended by somebody else."""


@dataclass(frozen=True)
class Surroundings:
    """What connections of one listener share."""

    instance: Instance
    welcome: Welcome
    failed: Callable[[BaseException], None]


class Connection:
    """Runs in a thread of its own until the caller or the server ends it."""

    def __init__(self, channel: Channel, surroundings: Surroundings) -> None:
        self.channel = channel
        self._around = surroundings
        self._requests: queue.Queue[Message | None] = queue.Queue(WAITING_REQUESTS)
        self._lock = threading.Lock()
        self._unanswered = 0
        self._running = False
        self._stop = threading.Event()
        self._acknowledged = 0

    def run(self) -> None:
        """All of it."""
        try:
            guest = self._around.welcome.receive(self.channel)
            if guest is not None:
                self._serve(guest)
        except (Malformed, HungUp, OSError, ssl.SSLError) as error:
            LOG.info("connection closed: %s", error)
        except Exception as error:  # noqa: BLE001 - told; the caller sees its connection end, as by an access violation
            self._around.failed(error)
        finally:
            self.channel.close()

    def end(self) -> None:
        """The server goes down, or the session was ended: the caller's connection ends."""
        self.channel.close()

    def _serve(self, guest: Guest) -> None:
        ear = threading.Thread(target=self._hear, args=(guest.session,), daemon=True)
        ear.start()
        try:
            Conversation(self, guest).run()
        finally:
            self.channel.close()
            self._drain()
            ear.join()
            guest.session.close()

    # -- hearing -------------------------------------------------------------------------------------------------------
    def _hear(self, session: Session) -> None:
        try:
            while (message := read_message(self.channel.read)) is not None:
                if message.kind is Kind.ATTENTION:
                    self._interrupt(session)
                elif not message.ignored:
                    self._count(1)
                self._requests.put(message)
        except (Malformed, OSError, ssl.SSLError) as error:
            LOG.info("connection lost: %s", error)
        except Exception as error:  # noqa: BLE001 - told
            self._around.failed(error)
        finally:
            self._interrupt(session)
            self._requests.put(None)

    def _count(self, more: int) -> None:
        with self._lock:
            self._unanswered += more

    def _interrupt(self, session: Session) -> None:
        """Stop what runs, or what waits to run."""
        with self._lock:
            if self._unanswered:
                self._stop.set()
            if self._running:
                session.cancel()

    def _drain(self) -> None:
        """Let the ear, which may wait for room, come to its end."""
        while self._requests.get() is not None:
            pass
        self._requests.put(None)

    # -- for the conversation --------------------------------------------------------------------------------------------
    def failed(self, error: BaseException) -> None:
        """The simulation broke: it is kept for whoever tests."""
        self._around.failed(error)

    def next(self, session: Session) -> Message | None:
        """The next request, None at the end, be it the caller's or the session's."""
        while not session.ended:
            with contextlib.suppress(queue.Empty):
                message = self._requests.get(timeout=LOOK_S)
                if message is None:
                    self._requests.put(None)
                return message
        return None

    def begin(self) -> None:
        """A request runs from now on."""
        with self._lock:
            self._running = True

    def finish(self) -> bool:
        """It runs no longer; True when it was stopped, which is then acknowledged in its own answer."""
        with self._lock:
            self._running = False
            self._unanswered -= 1
            stopped = self._stop.is_set()
            self._stop.clear()
            self._acknowledged += stopped
            return stopped

    def stopped(self) -> bool:
        """Whether what runs is to stop."""
        return self._stop.is_set()

    def is_acknowledged(self) -> bool:
        """Whether an attention that is read now has been answered with the request that it stopped."""
        if self._acknowledged:
            self._acknowledged -= 1
            return True
        return False


class Conversation:
    """Requests and answers of somebody who is logged in."""

    def __init__(self, connection: Connection, guest: Guest) -> None:
        self._connection = connection
        self._guest = guest
        self._session = guest.session
        self._standing = guest.standing
        self._procedures = Procedures(guest.session, connection.stopped)

    def run(self) -> None:
        """Until the caller hangs up or the server ends the session. Raises Malformed and HungUp."""
        while (message := self._connection.next(self._session)) is not None:
            if message.kind is Kind.ATTENTION:
                if not self._connection.is_acknowledged():
                    self._answer().end(attention=True)
            elif message.ignored:
                self._answer_ignored()
            else:
                self._request(message)
            if self._standing.ended or self._session.ended:
                return

    def _answer(self, in_procedure: bool = False) -> Answer:
        writing = Writing(self._connection.channel.write, self._guest.packet_size, spid=self._session.spid)
        return Answer(writing, self._standing, in_procedure)

    def _answer_ignored(self) -> None:
        answer = self._answer()
        answer.failed()
        answer.end()

    def _request(self, message: Message) -> None:
        answer = self._answer(in_procedure=message.kind is Kind.RPC)
        self._connection.begin()
        try:
            if message.resets:
                self._session.reset()
                self._procedures.forget()
                answer.reset_done()
            self._dispatch(message, answer)
        except SqlFailure as failure:
            answer.one(failure.event)
        except (Malformed, HungUp):
            self._connection.finish()
            raise
        except Exception as error:  # noqa: BLE001 - a fault of the simulation, said as SQL Server says one of its own
            self._connection.failed(error)
            text = traceback.format_exception_only(error)[-1].strip()
            answer.one(Failure(3624, 1, FATAL, f"A system assertion check has failed in the simulation: {text}"))
            self._connection.finish()
            answer.end()
            return
        answer.end(attention=self._connection.finish())

    def _dispatch(self, message: Message, answer: Answer) -> None:
        match message.kind:
            case _ if self._connection.stopped():
                return
            case Kind.BATCH:
                descriptor, text = requests.batch(message.body)
                self._check(descriptor)
                if requests.is_bulk_insert(text):
                    raise SqlFailure(4834, "You do not have permission to use the bulk load statement.")
                answer.add(of_batch(text) or self._session.execute(text), self._connection.stopped)
            case Kind.RPC:
                self._calls(message.body, answer)
            case Kind.TRANSACTION:
                self._transaction(message.body, answer)
            case _:
                raise Malformed(f"a packet of type {message.kind.name} where none is awaited")

    def _calls(self, body: bytes, answer: Answer) -> None:
        descriptor, calls = requests.calls(body)
        self._check(descriptor)
        for at, call in enumerate(calls):
            self._procedures.run(call, answer)
            if self._connection.stopped():
                return
            answer.end_call(more=at + 1 < len(calls))

    def _check(self, descriptor: int | None) -> None:
        if descriptor is not None and descriptor != self._standing.transaction:
            message = "New request is not allowed to start because it should come with valid transaction descriptor."
            raise SqlFailure(3989, message)

    def _transaction(self, body: bytes, answer: Answer) -> None:
        descriptor, asked = requests.transaction(body)
        self._check(descriptor)
        match asked.kind:
            case requests.BEGIN:
                answer.add(self._session.begin(asked.isolation))
            case requests.COMMIT:
                answer.add(self._session.commit())
            case requests.ROLLBACK if asked.name:
                answer.add(self._session.execute(f"ROLLBACK TRANSACTION [{asked.name.replace(']', ']]')}]"))
            case requests.ROLLBACK:
                answer.add(self._session.rollback())
            case requests.SAVE:
                answer.add(self._session.execute(f"SAVE TRANSACTION [{asked.name.replace(']', ']]')}]"))
            case _:
                message = "MSDTC on server is unavailable."
                raise SqlFailure(8501, message, state=3)
        if asked.begins:
            answer.add(self._session.begin(asked.isolation))
