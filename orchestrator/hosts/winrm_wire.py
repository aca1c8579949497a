"""One connection to WS-Management, logged in and sealed: what pywinrm's messages travel on.

Kerberos and NTLM log a connection in, not a request; so there is one connection, and a new one is logged in before anything is said on
it. Nothing is sent twice by itself: a message whose answer did not come is the caller's to judge (``LinkLost`` says that it was sent).
HTTPS is verified, always. Proxies of the environment are not used: credentials go to the host and to nobody else.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import ssl
from collections.abc import Mapping

import spnego
from cryptography import x509
from spnego.channel_bindings import GssChannelBindings
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError

from orchestrator.hosts.winrm_login import Bindings, Login, one_failure
from orchestrator.hosts.winrm_sealing import CONTENT_TYPE, is_sealed, seal, unseal
from orchestrator.model.servers import WinRmAddress

SOAP = "application/soap+xml;charset=UTF-8"
CONNECT_TIMEOUT_S = 5.0
ANSWER_BYTES_MAX = 16 * 1024 * 1024
STEPS_MAX = 5
_TOKEN = re.compile(r"(?:^|,)\s*(?:Negotiate|Kerberos)\s+([A-Za-z0-9+/=]+)", re.IGNORECASE)
Connection = http.client.HTTPConnection


class LinkLost(Exception):
    """The connection broke off after a message was sent: whether the host has it is not known."""


class NotReached(Exception):
    """No connection, so the host has seen nothing of the message."""


class _NamedHttps(http.client.HTTPSConnection):
    """HTTPS to an address whose certificate is for a name, which may be another: an IP address is reached, a name is proved."""

    def __init__(self, address: str, port: int, name: str, *, timeout_s: float, tls: ssl.SSLContext) -> None:
        super().__init__(address, port, timeout=timeout_s, context=tls)
        self._name, self._tls = name, tls

    def connect(self) -> None:
        """Raises OSError; ssl.SSLError where the certificate is another's."""
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


class Wire:
    """The transport of a pywinrm ``Protocol``. ``timeout_s`` is for one answer, ``connect_s`` for a connection. Used by one thread at a time."""

    def __init__(
        self, address: WinRmAddress, login: Login, timeout_s: float, connect_s: float = CONNECT_TIMEOUT_S
    ) -> None:
        self._address = address
        self._login = login
        self._timeout_s = timeout_s
        self._connect_s = connect_s
        self._connection: Connection | None = None
        self._context: spnego.ContextProxy | None = None

    def close_session(self) -> None:
        """End the connection; the next message makes a new one."""
        connection, self._connection, self._context = self._connection, None, None
        if connection is not None:
            connection.close()

    def hurry(self, timeout_s: float) -> None:
        """Wait no longer than this for what comes."""
        self._timeout_s, self._connect_s = min(self._timeout_s, timeout_s), min(self._connect_s, timeout_s)
        if self._connection is not None and self._connection.sock is not None:
            self._connection.sock.settimeout(self._timeout_s)

    def send_message(self, message: str | bytes) -> bytes:
        """Send a SOAP message, give the answer.

        Raises:
            NotReached, LinkLost: see there.
            InvalidCredentialsError, WinRMTransportError: what pywinrm makes faults of.
                LoginFailed, SpnegoError, ssl.SSLError: the login, a seal, or the certificate.
        """
        text = message.encode() if isinstance(message, str) else message
        fresh = self._connection is None
        status, answer = self._exchange(text)
        if status == http.client.UNAUTHORIZED and not fresh:
            self.close_session()  # the host forgot this login and did nothing: once more, logged in anew
            status, answer = self._exchange(text)
        if status == http.client.UNAUTHORIZED:
            self.close_session()
            raise InvalidCredentialsError("the host refused the login")
        if status != http.client.OK:
            raise WinRMTransportError("http", status, answer.decode(errors="replace"))
        return answer

    def _exchange(self, text: bytes) -> tuple[int, bytes]:
        connection = self._connection or self._connect()
        sealed = self._context is not None and not self._address.tls
        headers = {"Content-Type": CONTENT_TYPE if sealed else SOAP}
        if self._login.header:
            headers["Authorization"] = self._login.header
        body = seal(self._context, text) if sealed and self._context is not None else text
        status, answer_headers, answer = self._post(connection, body, headers)
        if sealed and self._context is not None and is_sealed(answer_headers.get("content-type", "")):
            return status, unseal(self._context, answer)
        if sealed and status == http.client.OK:
            self.close_session()
            raise LinkLost("the answer was not sealed, so it may be anybody's")
        return status, answer

    def _post(
        self, connection: Connection, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        try:
            connection.request("POST", "/wsman", body, {"User-Agent": "dtam", **headers})
            response = connection.getresponse()
            answer = response.read(ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            self.close_session()
            raise LinkLost(_said(error)) from error
        if response.will_close:
            self.close_session()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, answer

    def _connect(self) -> Connection:
        connection = self._opened()
        self._connection = connection
        if self._login.context is None:
            return connection
        try:
            with one_failure():
                self._log_in(connection, *self._login.context(_bindings(connection)))
        except BaseException:
            self.close_session()
            raise
        return connection

    def _opened(self) -> Connection:
        address, port = self._address.address, self._address.port
        if self._address.tls:
            tls = _verifying(self._address.ca_file, self._login.certificate)
            name = self._address.host_name or address
            connection: Connection = _NamedHttps(address, port, name, timeout_s=self._connect_s, tls=tls)
        else:
            connection = http.client.HTTPConnection(address, port, timeout=self._connect_s)
        connection.auto_open = 0
        try:
            connection.connect()
        except ssl.SSLError:
            raise
        except OSError as error:
            raise NotReached(_said(error)) from error
        connection.sock.settimeout(self._timeout_s)
        return connection

    def _log_in(self, connection: Connection, context: spnego.ContextProxy, token: bytes | None) -> None:
        """The tokens go to and fro on an empty message until both sides know each other."""
        for _ in range(STEPS_MAX):
            words = {"Content-Type": SOAP}
            if token:
                words["Authorization"] = f"Negotiate {base64.b64encode(token).decode('ascii')}"
            try:
                status, headers, answer = self._post(connection, b"", words)
            except LinkLost as error:
                raise NotReached(str(error)) from error
            found = _TOKEN.search(headers.get("www-authenticate", ""))
            token = context.step(base64.b64decode(found[1])) if found is not None else None
            if status == http.client.UNAUTHORIZED and (not token or self._connection is None):
                break
            if context.complete and not token:
                _refuse_unless_let_in(status, answer)
                self._context = context
                return
        raise InvalidCredentialsError("the host refused the login")


def _refuse_unless_let_in(status: int, answer: bytes) -> None:
    """An empty message is no SOAP: whoever was let in may hear of that."""
    if status >= http.client.BAD_REQUEST and status != http.client.INTERNAL_SERVER_ERROR:
        raise WinRMTransportError("http", status, answer.decode(errors="replace"))


def _verifying(ca_file: str | None, certificate: tuple[str, str] | None) -> ssl.SSLContext:
    """Certificates are checked, by this authority where one is given; there is no other way."""
    context = ssl.create_default_context(cafile=ca_file)
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return context


def _bindings(connection: Connection) -> Bindings:
    """What ties a login to the certificate of its connection (RFC 5929, tls-server-end-point)."""
    if not isinstance(connection.sock, ssl.SSLSocket):
        return None
    shown = connection.sock.getpeercert(binary_form=True) or b""
    used = x509.load_der_x509_certificate(shown).signature_hash_algorithm
    name = used.name if used is not None and used.name not in {"md5", "sha1"} else "sha256"
    return GssChannelBindings(application_data=b"tls-server-end-point:" + hashlib.new(name, shown).digest())


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
