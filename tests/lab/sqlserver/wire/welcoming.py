"""The way in: PRELOGIN, TLS, LOGIN7, SSPI, and what a caller is greeted with; [MS-TDS] 3.3.5.1 to 3.3.5.3."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass

from tests.lab.sqlserver.engine.port import Changed, Failure, Instance, LoginRequest, Session, SqlFailure
from tests.lab.sqlserver.wire import login7, prelogin, tokens
from tests.lab.sqlserver.wire.answering import Answer, Standing
from tests.lab.sqlserver.wire.channel import Channel
from tests.lab.sqlserver.wire.collations import named
from tests.lab.sqlserver.wire.packets import DEFAULT_SIZE, Kind, Message, Writing, negotiated, read_message
from tests.lab.sqlserver.wire.prelogin import Encryption
from tests.lab.sqlserver.wire.principals import Accounts
from tests.lab.sqlserver.wire.reading import Malformed
from tests.lab.sqlserver.wire.sspi import Caller, Exchange, Refused

LOG = logging.getLogger(__name__)
UTF8_SUPPORT = 0x0A
UTF8_SINCE = 15
"""SQL Server 2019: the first that has collations of UTF-8."""
LOGIN_BYTES = 128 * 1024
LOGIN_S = 60
"""How long a caller may take to log in."""


@dataclass(frozen=True)
class Guest:
    """Somebody who is logged in."""

    session: Session
    standing: Standing
    packet_size: int


@dataclass(frozen=True)
class Welcome:
    """How callers of one instance are let in. ``server``: @@SERVERNAME as messages name it."""

    instance: Instance
    server: str
    tls: ssl.SSLContext
    accounts: Accounts
    force_encryption: bool = False

    def receive(self, channel: Channel) -> Guest | None:
        """Let a caller in; None when it was refused and told so. Raises Malformed, OSError or ssl.SSLError."""
        channel.socket.settimeout(LOGIN_S)
        login_only = self._agree(channel)
        message = _read(channel, Kind.LOGIN7)
        encrypted = channel.encrypted and not login_only
        if login_only:
            channel.end_tls()
        asked = login7.parse(message.body)
        guest = self._log_in(channel, asked, encrypted)
        channel.socket.settimeout(None)
        return guest

    def _agree(self, channel: Channel) -> bool:
        """PRELOGIN, and TLS where it is agreed upon; True when it is for the log-in only."""
        said = prelogin.parse(_read(channel, Kind.PRELOGIN).body)
        answer = prelogin.agreed(said.encryption, self.force_encryption)
        if answer is None:
            raise Malformed(f"encryption {said.encryption} in PRELOGIN")
        known = said.instance.upper() in {"", "MSSQLSERVER", self.instance.name.upper()}
        body = prelogin.answer(self.instance.version, answer, known)
        _send(channel, body)
        if answer is Encryption.NOT_SUPPORTED:
            return False
        if answer is Encryption.REQUIRED and said.encryption == Encryption.NOT_SUPPORTED:
            raise Malformed("encryption is required, and the caller has none")
        channel.shake_hands(self.tls)
        return answer is Encryption.OFF

    # -- the log-in ------------------------------------------------------------------------------------------------------
    def _log_in(self, channel: Channel, asked: login7.Login7, encrypted: bool) -> Guest | None:
        tds = login7.granted(asked.tds, self.instance.version)
        standing = Standing(self.server, named(self.instance.collation), tds)
        try:
            caller = self._identify(channel, asked.sspi) if asked.sspi is not None else None
            session = self.instance.login(_request(channel, asked, caller, encrypted))
        except SqlFailure as failure:
            answer = Answer(Writing(channel.write, DEFAULT_SIZE), standing)
            event = failure.event
            answer.one(
                event if isinstance(event, Failure) else Failure(failure.number, failure.state, 14, failure.message)
            )
            answer.end()
            return None
        size = negotiated(asked.packet_size, encrypted)
        self._greet(channel, asked, session, standing, size)
        return Guest(session, standing, size)

    def _identify(self, channel: Channel, token: bytes) -> Caller:
        try:
            exchange = Exchange(token, self.accounts)
            while True:
                reply = exchange.step(token)
                if reply:
                    _send(channel, tokens.sspi(reply))
                if exchange.complete:
                    return exchange.caller()
                token = _read(channel, Kind.SSPI).body
        except Refused:
            message = (
                "Login failed. The login is from an untrusted domain and cannot be used with Integrated authentication."
            )
            raise SqlFailure(18452, message, severity=14) from None

    def _greet(self, channel: Channel, asked: login7.Login7, session: Session, standing: Standing, size: int) -> None:
        answer = Answer(Writing(channel.write, DEFAULT_SIZE, spid=session.spid), standing)
        for event in session.greeting():
            answer.one(event)
            if isinstance(event, Changed) and event.kind == "database":
                answer.raw(tokens.collation_changed(standing.collation))
        answer.raw(tokens.login_ack(standing.tds, self.instance.version))
        answer.raw(tokens.changed("packet_size", str(size), str(DEFAULT_SIZE)))
        if asked.features is not None and standing.tds >= login7.TDS_74:
            answer.raw(tokens.features(self._acknowledged(asked.features)))
        answer.end()

    def _acknowledged(self, features: dict[int, bytes]) -> dict[int, bytes]:
        utf8 = UTF8_SUPPORT in features and int(self.instance.version.split(".")[0]) >= UTF8_SINCE
        return {UTF8_SUPPORT: b"\1"} if utf8 else {}


def _read(channel: Channel, kind: Kind) -> Message:
    message = read_message(channel.read, LOGIN_BYTES)
    if message is None or message.kind is not kind:
        came = "nothing" if message is None else message.kind.name
        raise Malformed(f"{kind.name} was awaited, {came} came")
    return message


def _send(channel: Channel, body: bytes) -> None:
    writing = Writing(channel.write, DEFAULT_SIZE)
    writing.write(body)
    writing.end()


def _request(channel: Channel, asked: login7.Login7, caller: Caller | None, encrypted: bool) -> LoginRequest:
    remote, local = channel.socket.getpeername(), channel.socket.getsockname()
    return LoginRequest(
        user=asked.user,
        password=asked.password,
        windows=caller.identity if caller else None,
        database=asked.database,
        language=asked.language,
        application=asked.application,
        host=asked.host,
        interface=asked.interface,
        process_id=asked.process_id,
        new_password=asked.new_password,
        auth_scheme=caller.scheme if caller else "SQL",
        client_address=remote[0],
        client_port=remote[1],
        local_address=local[0],
        local_port=local[1],
        encrypted=encrypted,
    )
