"""The source's side as threads: reads the log, ships it, reconnects by itself, for as long as the connection lasts.

One thread reads log and mirror, sends, and alone touches the core; for each session a second one receives and puts what came into
the inbox, as do commands from outside. What has become of the sending is told by ``TransmitState``: Started, Paused, Scheduled (held
back by a schedule), Stopped, Error (with the reason; it is tried again).

What other threads read is replaced whole; the counters have their own lock (``Tally``).
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable
from functools import partial

from orchestrator.engine.oplog.errors import CorruptRecord, LogUnusable
from orchestrator.engine.transfer.dialing import dial
from orchestrator.engine.transfer.errors import BadFrame, PeerUnknown, SessionRefused
from orchestrator.engine.transfer.events import (
    Connected,
    Disconnected,
    Hangup,
    LogOffer,
    MirrorBroken,
    MirrorNeeded,
    MirrorReplied,
    Received,
    Released,
    Seek,
    Send,
    SendingPaused,
    SourceAction,
    SourceEvent,
    Tick,
)
from orchestrator.engine.transfer.inbox import Inbox
from orchestrator.engine.transfer.line import Line
from orchestrator.engine.transfer.messages import Ack, Bye, DataState, Message, Refusal, Welcome
from orchestrator.engine.transfer.mirroring import Mirroring
from orchestrator.engine.transfer.outlet import Outlet
from orchestrator.engine.transfer.ports import (
    LogAccess,
    MirrorJob,
    Route,
    SourceHooks,
    SourceStatus,
    TransmitState,
)
from orchestrator.engine.transfer.protocol import SessionLimits, SourceSession, Terms
from orchestrator.engine.transfer.shipping import Shipping
from orchestrator.engine.transfer.standing import status_of
from orchestrator.engine.transfer.tally import Tally
from orchestrator.engine.transfer.target import receive
from orchestrator.engine.transfer.tls import Channel, Identity
from orchestrator.engine.transfer.translate import FileNames, PathMapping, Rules, Translator

log = logging.getLogger(__name__)
TICK_S = 0.5
USEFUL_SESSION_S = 2.0  # a session that lasted so long had worked: after it the first pause is short again


class SourceConnection:
    """One connection to one target."""

    def __init__(
        self,
        terms: Terms,
        route: Route,
        identity: Identity,
        open_log: Callable[[], LogAccess],
        *,
        rules: Rules | None = None,
        mapping: PathMapping | None = None,
        remap: Callable[[bytes], bytes] | None = None,
        names: FileNames | None = None,
        hooks: SourceHooks | None = None,
        limits: SessionLimits | None = None,
        line: Line | None = None,
        keeps_deleted: bool = False,
        reach: Callable[[], Channel] | None = None,
        fresh: bool = False,
        longest_wait_s: float = 10.0,
    ) -> None:
        """Ready to start.

        Args:
            terms: what the connection is.
            route: where the target is.
            identity: our certificate and key.
            open_log: opens the log; called for each session.
            rules: what is selected; None ships everything without decoding it.
            mapping: names at the target; None keeps them.
            remap: where a soft link points to at the target; None keeps it.
            names: other names of files, where the rules leave some out.
            hooks: what the owner does.
            limits: of the sessions.
            line: compression and bandwidth of the way to the target; None: neither.
            reach: how a session's channel is made; None dials the route.
            keeps_deleted: deletions are not sent.
            fresh: a connection that the target has not seen: its first session begins a new base.
            longest_wait_s: the longest pause between two tries to connect.
        """
        self.terms = terms
        self._route = route
        self._reach = reach or partial(dial, identity, route)
        self._open_log = open_log
        self._hooks = hooks or SourceHooks()
        self._core = SourceSession(terms, limits)
        self._fresh = fresh
        self._longest_wait_s = longest_wait_s
        self._inbox = Inbox()
        self._stopping = threading.Event()
        self._channel: Channel | None = None
        self._log: LogAccess | None = None
        self._mirror = Mirroring(self._core, self._handle, self._hooks)
        self._tally = Tally()
        self._outlet = Outlet(line or Line(), self._tally, self._stopping.wait)
        translator = Translator(rules, mapping, remap, names, keeps_deleted=keeps_deleted)
        self._shipping = Shipping(
            self._core, self._handle, translator, mirror=self._mirror, tally=self._tally, hooks=self._hooks
        )
        self._parting: Bye | None = None
        self._state = TransmitState.STOPPED
        self._held = TransmitState.STARTED
        self._error = ""
        self._reason = ""
        self._since_s = 0.0
        self._thread: threading.Thread | None = None

    # --- commands

    def start(self) -> None:
        """Connect, and stay connected until ``stop``."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=f"source-{self.terms.connection[:8]}", daemon=True)
        self._thread.start()

    def stop(self, *, disconnect: bool = False, unwatched: bool = False) -> None:
        """End; ``disconnect`` tells the target that the connection is over for good, ``unwatched`` that it may stop watching, too."""
        self._parting = Bye("disconnected", disconnect=True, unwatched=unwatched) if disconnect else None
        self._stopping.set()
        self._inbox.wake()
        if self._thread is not None:
            self._thread.join()
        self._state = TransmitState.STOPPED

    def close(self) -> None:
        """After ``stop``: let go of everything."""
        self._inbox.close()

    def pause(self, *, scheduled: bool = False) -> None:
        """Hold the sending back; the session stays, the log grows. ``scheduled``: a schedule does it, not a person."""
        self._held = TransmitState.SCHEDULED if scheduled else TransmitState.PAUSED
        self._inbox.ask(lambda: self._handle(SendingPaused(paused=True)))

    def resume(self) -> None:
        """Send again."""
        self._held = TransmitState.STARTED
        self._inbox.ask(lambda: self._handle(SendingPaused(paused=False)))

    def start_mirror(self, job: MirrorJob) -> None:
        """Run a mirror; one that is running is given up first. If the logs cannot be joined, this begins a new base."""
        self._inbox.ask(lambda: self._take_job(job))

    def stop_mirror(self) -> None:
        """Give the mirror up; the target needs another one."""
        self._inbox.ask(lambda: self._mirror.close(complete=False, says="the mirror was stopped"))

    def pause_mirror(self, *, paused: bool) -> None:
        """Hold the mirror back, or let it go on; replication goes on meanwhile."""
        self._mirror.paused = paused
        self._inbox.wake()

    def _take_job(self, job: MirrorJob) -> None:
        self._mirror.take(job)
        refused = self._core.refusal
        if refused is not None and refused.reason.needs_mirror:
            self._fresh = True

    # --- status

    @property
    def refused_for(self) -> Refusal | None:
        """Why the target refused the last session; None when it took it, or none was tried."""
        refused = self._core.refusal
        return refused.reason if refused is not None else None

    def status(self) -> SourceStatus:
        """How it stands now."""
        core, access, job = self._core, self._log, self._mirror.job
        committed = 0
        with contextlib.suppress(ValueError):  # the page was closed between two sessions
            committed = access.state.committed_sequence if access is not None else core.sent
        return status_of(
            core,
            self._tally,
            committed,
            state=self._transmit_state(),
            since_s=self._since_s,
            error=self._error,
            mirror_kind=job.kind if job else None,
        )

    def _transmit_state(self) -> TransmitState:
        return self._held if self._state is TransmitState.STARTED else self._state

    # --- the thread

    def _run(self) -> None:
        wait_s = 0.1
        while not self._stopping.is_set():
            acknowledged = self._core.acknowledged
            try:
                self._session()
                self._failed(self._reason or "the session ended")
            except SessionRefused as error:
                self._failed(str(error))
            except (OSError, BadFrame, PeerUnknown, LogUnusable, CorruptRecord) as error:
                self._failed(self._reason or str(error) or type(error).__name__)
            except Exception as error:
                log.exception("a session ended")
                self._failed(f"the session ended, please report this as a bug: {error!r}")
            wait_s = 0.1 if self._was_of_use(acknowledged) else wait_s
            self._since_s = 0.0
            self._rest(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
            wait_s = min(wait_s * 2, self._longest_wait_s)

    def _was_of_use(self, acknowledged: int) -> bool:
        """Whether the session that ended had moved something or lasted: one that breaks at once is not tried in a storm."""
        lasted_s = time.time() - self._since_s if self._since_s else 0.0
        return self._core.acknowledged > acknowledged or lasted_s >= USEFUL_SESSION_S

    def _rest(self, seconds: float) -> None:
        """Wait until the time is over or something is asked for."""
        if not self._stopping.is_set():
            self._inbox.sleep(seconds)
        self._inbox.work_off()

    def _failed(self, says: str) -> None:
        if self._stopping.is_set():
            return
        if says != self._error:
            self._hooks.happened(f"connection to {self._route.peer.name}: {says}")
        self._error = says
        self._state = TransmitState.ERROR

    def _session(self) -> None:
        """One session, from connecting to its end."""
        self._reason = ""
        access = self._opened_log()
        try:
            channel = self._reach()
            self._log, self._channel = access, channel
            receiver = threading.Thread(
                target=self._receive, args=(channel, access.log_id), name="source-receiver", daemon=True
            )
            try:
                self._greet(access)
                receiver.start()
                self._stream(access, channel)
            finally:
                channel.close()
                if receiver.ident is not None:
                    receiver.join()
                self._channel = None
                self._inbox.work_off()
                self._handle(Disconnected())
        finally:
            self._log = None
            access.close()
        self._raise_refusal()

    def _opened_log(self) -> LogAccess:
        """The log; one that lost operations begins anew before a new base is made of it."""
        access = self._open_log()
        if not (self._fresh and access.state.out_of_step and self._hooks.log_lost()):
            return access
        access.close()
        return self._open_log()

    def _greet(self, access: LogAccess) -> None:
        offer = LogOffer(access.log_id, access.reader.first_available(), access.state.committed_sequence)
        self._handle(Connected(offer, fresh=self._fresh))

    def _raise_refusal(self) -> None:
        refused = self._core.refusal
        if refused is not None and not (refused.reason.needs_mirror and self._fresh):
            raise SessionRefused(peer=self._route.peer.name, why=refused.says, reason=refused.reason)

    def _receive(self, channel: Channel, log_id: str) -> None:
        try:
            while True:
                message = receive(channel)
                self._hear(message, log_id)
                self._inbox.ask(lambda message=message: self._arrived(message))  # type: ignore[misc]
        except (OSError, BadFrame, PeerUnknown) as error:
            says = str(error)
            self._inbox.ask(lambda: self._lost(says))
        finally:
            channel.close()
            self._inbox.wake()

    def _hear(self, message: Message, log_id: str) -> None:
        match message:
            case Ack(acknowledged=sequence, data_state=state) | Welcome(resume_after=sequence, data_state=state):
                good = state is DataState.GOOD and not self._core.overwrites(message)
                self._hooks.heard(log_id, sequence, good)

    def _arrived(self, message: Message) -> None:
        self._handle(Received(message))
        if isinstance(message, Ack):
            self._mirror.look(message)

    def _lost(self, says: str) -> None:
        self._reason = self._reason or says

    def _stream(self, access: LogAccess, channel: Channel) -> None:
        """Send while the session lasts."""
        tick_due_s = 0.0
        while not self._stopping.is_set() and channel.is_open:
            self._inbox.work_off()  # before the tick: on a slow line a word of the target may have waited here
            now_s = time.monotonic()
            if now_s >= tick_due_s:
                self._handle(Tick())
                tick_due_s = now_s + TICK_S
            did = self._shipping.ship(access)
            did = self._mirror.feed(access.state) or did
            if not did and not self._inbox:
                self._doze(access, max(0.0, tick_due_s - time.monotonic()))
        if self._parting is not None and channel.is_open:
            self._outlet.send(channel, self._parting)

    def _doze(self, access: LogAccess, seconds: float) -> None:
        """Until there is something to do. While the log may not be sent on, what is in it is no reason to wake."""
        if self._shipping.is_held(access):
            self._inbox.sleep(seconds)
        else:
            access.reader.wait(seconds, also=(self._inbox.wake_fd,))
            self._inbox.slept()

    # --- the core

    def _handle(self, event: SourceEvent) -> None:
        for action in self._core.handle(event, time.monotonic()):
            self._do(action)

    def _do(self, action: SourceAction) -> None:
        channel = self._channel
        match action:
            case Send(message) if channel is not None:
                self._outlet.send(channel, message)
            case Hangup(says):
                self._reason = self._reason or says
                if channel is not None:
                    channel.close()
            case Seek(position) if self._log is not None:
                self._log.reader.seek(position)
                self._welcomed()
            case Released(sequence):
                self._released(sequence)
            case MirrorReplied(payload):
                self._mirror.replied(bytes(payload))
            case MirrorBroken(says):
                self._mirror.broken(says)
            case MirrorNeeded(says):
                self._fresh = self._mirror.due(says) or self._fresh
            case _:
                pass

    def _welcomed(self) -> None:
        if self._error:
            self._hooks.happened(f"connection to {self._route.peer.name}: replicating again")
        self._error, self._fresh = "", False
        self._state, self._since_s = TransmitState.STARTED, time.time()
        self._tally.begin_session()
        self._outlet.compresses = self._core.may_compress

    def _released(self, sequence: int) -> None:
        self._tally.acknowledged(sequence)
        if self._hooks.released is not None:
            self._hooks.released(sequence)
        elif self._log is not None:
            self._log.reader.release(sequence)
