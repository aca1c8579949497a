"""What a driver's error means: unreachable, refused, not allowed, too old, to be waited for. Numbers are SQL Server's own."""

from __future__ import annotations

import re
from collections.abc import Callable

from orchestrator.databases.errors import (
    DriverMissing,
    SqlCertificateRefused,
    SqlError,
    SqlLoginRefused,
    SqlNotAllowed,
    SqlTooOld,
    SqlUnreachable,
)
from orchestrator.model.outcomes import TryAgain

REFUSED = frozenset({18450, 18451, 18452, 18456, 18458, 18459, 18461, 18470, 18486, 18487, 18488, 4060, 4062, 4064})
NOT_ALLOWED = frozenset({229, 230, 262, 297, 300, 916, 5011, 6102, 15247, 15151, 15517, 22002})
LATER = frozenset(
    {601, 921, 922, 924, 927, 952, 1204, 1205, 1222, 3101, 3703, 5030, 5061, 5064, 17142, 18401, 40197, 40501, 40613}
)
"""Recovering, in transition, locked for the moment, paused, upgrading: waiting may help."""

_UNREACHABLE_STATES = frozenset({"08001", "08S01", "08007", "HYT00", "HYT01", "01000"})
_ADVICE_LOGIN = {
    18452: "the log-in is of a domain that the server does not trust: use Kerberos, or an account of SQL Server",
    18470: "the log-in is disabled there",
    18486: "the log-in is locked there: too many wrong passwords",
    18487: "its password has expired",
    18488: "its password must be changed first",
}
_USUAL_LOGIN = (
    "is the password right (dtam credentials set), and does the instance take accounts of SQL Server (mixed mode)? "
    "its error log names the state of error 18456"
)

_UNKNOWN_ACCOUNT = "let that account in there: CREATE LOGIN [DOMAIN\\account] FROM WINDOWS; ALTER SERVER ROLE sysadmin ADD MEMBER [...]"


def numbers(text: str) -> tuple[int, ...]:
    """SQL Server's error numbers in a driver's message.

    >>> numbers("[28000] [Microsoft][ODBC Driver 18][SQL Server]Login failed for user 'x'. (18456) (SQLDriverConnect)")
    (18456,)
    """
    return tuple(int(one) for one in re.findall(r"\((\d+)\)(?= \(SQL|;|$)", text))


def sentence(text: str) -> str:
    """What the driver says without the names of everybody who passed it on."""
    plain = re.sub(r"^(?:\s*\[[^\]]*\])+", "", text.split("; [", maxsplit=1)[0])
    plain = re.sub(r"\s*\(-?\d+\)(?: \(SQL\w+\))?", "", plain)
    return plain.strip().rstrip(".") or "no reason given"


def explained(error: Exception, server: str, who: str) -> SqlError | TryAgain:
    """A driver's error as ours; ``who`` is the log-in, without its password."""
    state, text = _parts(error)
    found = numbers(text)
    first = next((one for one in found if one not in {0, 5701, 5703}), 0)
    for fits, make in _KINDS:
        if fits(state, text, set(found)):
            return make(server, who, sentence(text), first)
    return SqlError(server=server, reason=_with(sentence(text), first))


def unexplained(error: Exception) -> bool:
    """Whether FreeTDS gave up between connecting and logging in, of which it says nothing."""
    _, text = _parts(error)
    return "[FreeTDS]" in text and "Unable to connect to data source" in text


def without_ticket(server: str, who: str) -> SqlError:
    """Kerberos gave nothing to log in with."""
    return _kerberos(server, who, "there is no ticket for it", 0)


def without_trust(server: str, *, integrated: bool) -> SqlError:
    """TLS came to nothing; or, where tickets are wanted, there was none."""
    reason = "FreeTDS ends the session before the log-in: the certificate is of another authority or name, or TLS is not offered"
    return SqlCertificateRefused(server=server, reason=reason + ", or there is no ticket (klist)" * integrated)


def _parts(error: Exception) -> tuple[str, str]:
    given = [str(one) for one in error.args]
    return (given[0], given[1]) if len(given) > 1 else ("", given[0] if given else type(error).__name__)


def _with(reason: str, number: int) -> str:
    return f"{reason} (Msg {number})" if number else reason


def _certificate(server: str, _who: str, says: str, _number: int) -> SqlError:
    return SqlCertificateRefused(server=server, reason=says)


def _kerberos(server: str, who: str, says: str, _number: int) -> SqlError:
    advice = (
        "get a ticket (kinit), or give principal and keytab_file; its service name is MSSQLSvc/NAME:PORT: setspn -Q"
    )
    return SqlLoginRefused(server=server, who=who, reason=says, advice=advice)


def _refused(server: str, who: str, says: str, number: int) -> SqlError:
    usual = _UNKNOWN_ACCOUNT if "\\" in says else _USUAL_LOGIN
    advice = _ADVICE_LOGIN.get(number, usual)
    return SqlLoginRefused(server=server, who=who, reason=_with(says, number), advice=advice)


def _not_allowed(server: str, who: str, says: str, number: int) -> SqlError:
    return SqlNotAllowed(server=server, who=who, reason=_with(says, number))


def _too_old(server: str, _who: str, says: str, _number: int) -> SqlError:
    advice = "its TLS or its protocol is older than this driver takes: use FreeTDS, or Microsoft's driver 17"
    return SqlTooOld(server=server, version="an older release", reason=says, advice=advice)


def _unreachable(server: str, _who: str, says: str, _number: int) -> SqlError:
    advice = "is the instance started, does it listen on TCP, and is its port open from here?"
    return SqlUnreachable(server=server, reason=says, advice=advice)


def _missing(_server: str, _who: str, says: str, _number: int) -> SqlError:
    advice = "see odbcinst -q -d, or name a driver with failover.sql.login.driver"
    return DriverMissing(reason=says, advice=advice)


def _later(server: str, _who: str, says: str, number: int) -> TryAgain:
    return TryAgain(f"SQL Server {server}: {_with(says, number)}", after_s=1.0)


_Fits = Callable[[str, str, set[int]], bool]
_Makes = Callable[[str, str, str, int], SqlError | TryAgain]
_KINDS: tuple[tuple[_Fits, _Makes], ...] = (
    (lambda state, text, _n: state in {"IM002", "IM003", "IM004", "IM005"} or "Can't open lib" in text, _missing),
    (lambda _s, text, _n: "certificate" in text.lower() and "ertificate file" not in text, _certificate),
    (lambda _s, text, _n: bool(re.search(r"unsupported protocol|wrong version number|TDS version", text)), _too_old),
    (lambda _s, text, _n: bool(re.search(r"SSPI|GSSAPI|Kerberos", text)), _kerberos),
    (lambda _s, _t, found: bool(found & LATER), _later),
    (lambda state, _t, found: state == "28000" or bool(found & REFUSED), _refused),
    (lambda _s, _t, found: bool(found & NOT_ALLOWED), _not_allowed),
    (
        lambda state, _t, found: state in _UNREACHABLE_STATES and not found - {0, 20002, 20003, 20009, 20017, 20047},
        _unreachable,
    ),
)
