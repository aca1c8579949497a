"""The engine's side of the witness: requests with a budget over mutual TLS; the witness is pinned by its certificate's fingerprint.

Silence is never an answer: whatever is not a clear word of the pinned witness raises ``WitnessUnreachable``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec
import urllib3

from orchestrator.engine.witness.errors import WitnessRefusesClient, WitnessUnreachable, WrongWitness
from orchestrator.engine.witness.rules import GrantAnswer, LeaseAnswer
from orchestrator.engine.witness.wire import (
    GrantRequest,
    LeaseRequest,
    ProtectionView,
    RegisterRequest,
    ReleaseRequest,
)

T = TypeVar("T")


class WitnessClient:
    """Talks to one witness. Thread-safe.

    Args:
        address: where it listens.
        port: its TCP port.
        fingerprint: sha256 of its certificate, hexadecimal, colons allowed.
        certificate_file: this engine's certificate (PEM), as enrolled.
        key_file: its private key (PEM).
        budget_s: how long one request may take, connection and answer together.
    """

    def __init__(
        self,
        address: str,
        port: int,
        fingerprint: str,
        *,
        certificate_file: Path,
        key_file: Path,
        budget_s: float = 3.0,
    ) -> None:
        self.address, self.port = address, port
        self._fingerprint = fingerprint.replace(":", "").lower()
        self._pool = urllib3.HTTPSConnectionPool(
            address,
            port,
            maxsize=2,
            cert_file=str(certificate_file),
            key_file=str(key_file),
            cert_reqs="CERT_NONE",
            assert_fingerprint=self._fingerprint,
            assert_hostname=False,
            timeout=urllib3.Timeout(total=budget_s),
            retries=False,
        )

    def register(self, protection: str, epoch: int, holder: str, lease_s: float, target: str = "") -> LeaseAnswer:
        """Make the protection known to the witness, and who its target is; the lease (seconds) runs at once."""
        return self._post(protection, "register", RegisterRequest(epoch, holder, lease_s, target), LeaseAnswer)

    def renew(self, protection: str, epoch: int, holder: str, lease_s: float) -> LeaseAnswer:
        """Renew the lease; a refusal says who owns which epoch."""
        return self._post(protection, "renew", LeaseRequest(epoch, holder, lease_s), LeaseAnswer)

    def grant(
        self,
        protection: str,
        from_epoch: int,
        candidate: str,
        *,
        lease_s: float | None = None,
        forced: bool = False,
        by: str = "",
    ) -> GrantAnswer:
        """Ask for the epoch after ``from_epoch``. After WitnessUnreachable it may have been granted: ask again."""
        request = GrantRequest(from_epoch, candidate, lease_s, forced, by)
        return self._post(protection, "grant", request, GrantAnswer)

    def release(self, protection: str, epoch: int, holder: str) -> bool:
        """Give the epoch back; False when it was not ours."""
        return self._post(protection, "release", ReleaseRequest(epoch, holder), LeaseAnswer).granted

    def look(self, protection: str) -> ProtectionView | None:
        """What the witness knows about the protection; None when it does not know it."""
        status, body = self._request("GET", f"/v1/protections/{protection}", None)
        return None if status == 404 else self._decode(body, ProtectionView)

    def look_at_all(self) -> list[ProtectionView]:
        """What the witness knows about every protection."""
        return self._decode(self._request("GET", "/v1/protections", None)[1], list[ProtectionView])

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _post(self, protection: str, verb: str, request: msgspec.Struct, answer: type[T]) -> T:
        _, body = self._request("POST", f"/v1/protections/{protection}/{verb}", msgspec.json.encode(request))
        return self._decode(body, answer)

    def _request(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            reply = self._pool.request(method, path, body=body, headers=headers, retries=False)
        except urllib3.exceptions.SSLError as error:
            raise self._tls_failure(error) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise WitnessUnreachable(address=self.address, port=self.port, why=_plain(error)) from error
        if reply.status == 403:
            raise WitnessRefusesClient(address=self.address, port=self.port, why=_reason(reply.data))
        if reply.status not in {200, 404}:
            why = f"it answered {reply.status}: {_reason(reply.data)}"
            raise WitnessUnreachable(address=self.address, port=self.port, why=why)
        return reply.status, reply.data

    def _tls_failure(self, error: Exception) -> Exception:
        text = str(error)
        if "ingerprint" in text:
            found = text.rsplit("got", maxsplit=1)[-1].strip(' ".)(') if "got" in text else "another one"
            return WrongWitness(address=self.address, port=self.port, expected=self._fingerprint, found=found)
        if "alert" in text.lower():
            return WitnessRefusesClient(
                address=self.address, port=self.port, why="its certificate is not enrolled there"
            )
        return WitnessUnreachable(address=self.address, port=self.port, why=_plain(error))

    def _decode(self, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.MsgspecError as error:
            why = f"its answer makes no sense ({error})"
            raise WitnessUnreachable(address=self.address, port=self.port, why=why) from error


def _plain(error: Exception) -> str:
    """The innermost reason, without the library's object addresses."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    if isinstance(cause, TimeoutError):
        return "no answer within the budget"
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


def _reason(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body, type=dict[str, str]).get("reason", ""))
    except msgspec.MsgspecError:
        return body[:100].decode("utf-8", "replace")
