"""How one logs in at WinRM: by tickets or NTLM, whose context also seals messages, by a certificate, or by name and password in TLS.

Kerberos takes tickets from a password of the credential cache, from a keytab, or from the cache of this process; no secret is kept here
longer than the connection needs it.

Tickets are asked for WSMAN/HOST, which WinRM registers by itself for its computer and which stays there when a failover moves HOST (and with it
HTTP) of the same name to another account; only where the domain does not know that name, for HTTP/HOST.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from orchestrator.model.accounts import AccountName
from orchestrator.model.servers import Transport, WinRmAddress

SERVICE, PLAIN_SERVICE = "WSMAN", "HTTP"
NO_LIBRARY = "the libraries of Kerberos are not installed here: pip install 'dtam[kerberos]' (builds with libkrb5-dev)"
UNKNOWN = "not found in kerberos database"
MUTUAL_TLS = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"

Bindings = GssChannelBindings | None
Begun = tuple[spnego.ContextProxy, bytes | None]


class LoginFailed(Exception):
    """No ticket or token could be made: the domain refused, or nobody of it answered."""


@contextmanager
def one_failure() -> Iterator[None]:
    """What the libraries of Kerberos raise by classes of their own is one class of ours."""
    try:
        yield
    except SpnegoError as error:
        raise LoginFailed(str(error)) from error
    except ImportError as error:
        raise LoginFailed(NO_LIBRARY) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in {"krb5", "gssapi"}:
            raise
        raise LoginFailed(str(error)) from error


@dataclass(frozen=True, slots=True)
class Login:
    """``context`` begins a new security context and gives its first token; ``header`` is sent with every request where there is none.

    ``account`` is for messages.
    """

    account: str
    context: Callable[[Bindings], Begun] | None = None
    header: str = field(default="", repr=False)
    certificate: tuple[str, str] | None = None


def login_of(address: WinRmAddress, password: Callable[[], str]) -> Login:
    """The login of an address. ``password`` is asked only where one is needed.

    Raises:
        DtamError: whatever ``password`` raises.
    """
    match address.transport:
        case Transport.CERTIFICATE:
            files = (address.certificate_file or "", address.key_file or "")
            return Login(f"the certificate {files[0]}", header=MUTUAL_TLS, certificate=files)
        case Transport.BASIC_HTTPS:
            words = f"{address.account}:{password()}".encode()
            return Login(address.account, header=f"Basic {base64.b64encode(words).decode('ascii')}")
        case Transport.NTLM:
            return _negotiated(address, "ntlm", spnego.Password(address.account, password()))
        case Transport.KERBEROS:
            return _negotiated(address, "kerberos", _tickets(address, password))


_Credential = spnego.Password | spnego.KerberosKeytab | spnego.CredentialCache


def _tickets(address: WinRmAddress, password: Callable[[], str]) -> _Credential:
    if address.keytab:
        return spnego.KerberosKeytab(keytab=address.keytab, principal=address.principal)
    if address.account:
        return spnego.Password(principal_of(address), password())
    return spnego.CredentialCache(username=address.principal)


def principal_of(address: WinRmAddress) -> str:
    r"""The account as Kerberos names it: with its realm in capitals. A short domain name stands for that of the host.

    >>> principal_of(WinRmAddress("w1.lab.example", account="LAB\\ada"))
    'ada@LAB.EXAMPLE'
    """
    name = AccountName.parse(address.account)
    domain = name.domain if "." in name.domain else (address.host_name or address.address).partition(".")[2]
    return f"{name.user}@{domain.upper()}" if domain else name.user


def _is_unknown(error: BaseException | None) -> bool:
    """Whether the domain does not know the service; the libraries wrap each other's errors."""
    while error is not None:
        if UNKNOWN in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False


def _negotiated(address: WinRmAddress, protocol: str, credential: _Credential) -> Login:
    def begin(service: str, bindings: Bindings) -> Begun:
        context = spnego.client(
            credential,
            hostname=address.host_name or address.address,
            service=service,
            channel_bindings=bindings,
            protocol=protocol,
            options=spnego.NegotiateOptions.wrapping_winrm,
            context_req=spnego.ContextReq.default | spnego.ContextReq.mutual_auth,
        )
        return context, context.step()

    def context(bindings: Bindings) -> Begun:
        if protocol == "ntlm":
            return begin(PLAIN_SERVICE, bindings)
        try:
            return begin(SERVICE, bindings)
        except Exception as error:
            if not _is_unknown(error):
                raise
        return begin(PLAIN_SERVICE, bindings)

    return Login(address.account or address.principal or "the owner of the ticket cache", context)
