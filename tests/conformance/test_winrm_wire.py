"""The way to a Windows host, against the simulated one: each login, big streams, dropped links, and every failure as its own error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509

from orchestrator.errors import DtamError
from orchestrator.hosts import errors
from orchestrator.hosts.winrm_failures import explained
from orchestrator.hosts.winrm_login import login_of
from orchestrator.hosts.winrm_shell import Shell, TooLate
from orchestrator.hosts.winrm_wire import LinkLost, NotReached, Wire
from orchestrator.model.servers import Transport, WinRmAddress
from tests.lab.certificates import Authority
from tests.lab.windows.starting import WindowsHost, windows_host, write_secret

FQDN = "alpha.lab.example"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WindowsHost]:
    with windows_host(tmp_path_factory.mktemp("windows"), settings={"max_shells_per_user": 5}) as made:
        yield made


@pytest.fixture(autouse=True)
def _healthy(host: WindowsHost) -> Iterator[None]:
    yield
    host.control.ask("heal")
    host.control.ask("delete-shells")


def ways(host: WindowsHost) -> dict[str, WinRmAddress]:
    tls: dict[str, Any] = {"port": host.https_port, "tls": True, "ca_file": str(host.ca_file)}
    files = {"certificate_file": str(host.client_certificate), "key_file": str(host.client_key)}
    return {
        "ntlm": WinRmAddress(host.address, host.http_port, Transport.NTLM, account="dtam"),
        "ntlm-https": WinRmAddress(host.address, transport=Transport.NTLM, account="dtam", **tls),
        "basic-https": WinRmAddress(host.address, transport=Transport.BASIC_HTTPS, account="dtam", **tls),
        "certificate": WinRmAddress(host.address, transport=Transport.CERTIFICATE, **tls, **files),
    }


@contextlib.contextmanager
def shell_at(host: WindowsHost, address: WinRmAddress, password: str = "", timeout_s: float = 30.0) -> Iterator[Shell]:
    login = login_of(address, lambda: password or host.passwords[address.account])
    shell = Shell(Wire(address, login, timeout_s), address.url)
    try:
        yield shell
    finally:
        shell.close()


def refusal(host: WindowsHost, address: WinRmAddress, password: str = "") -> DtamError:
    with shell_at(host, address, password) as shell, pytest.raises(Exception) as raised:
        shell.run("hostname", (), b"", 30.0)
    return explained(raised.value, "alpha", address.url, address.account)


@pytest.mark.parametrize("way", ["ntlm", "ntlm-https", "basic-https", "certificate"])
def test_each_login_carries_a_program_with_its_input_and_output(host: WindowsHost, way: str) -> None:
    given = b"".join(b"%07d\r\n" % one for one in range(60_000))  # several messages each way
    with shell_at(host, ways(host)[way]) as shell:
        assert shell.run("hostname", (), b"", 30.0).out.strip() == b"ALPHA"
        ended = shell.run("more", (), given, 120.0)
        assert ended.code == 0
        assert ended.out.rstrip(b"\r\n") == given.rstrip(b"\r\n")
        assert len(host.control.ask("shells")) == 1


@pytest.mark.parametrize(
    ("account", "password", "expected"),
    [
        ("dtam", "not the password", errors.WinRmLoginRefused),
        ("unheard-of", "x", errors.WinRmLoginRefused),
        ("nobody", "", errors.WinRmNotAuthorised),
    ],
)
def test_who_is_not_let_in(host: WindowsHost, account: str, password: str, expected: type[DtamError]) -> None:
    address = msgspec.structs.replace(ways(host)["ntlm"], account=account)
    found = refusal(host, address, password)
    assert type(found) is expected
    assert account in str(found)
    assert "not the password" not in str(found)


def test_a_certificate_of_another_authority_is_refused(host: WindowsHost, tmp_path: Any) -> None:
    other = tmp_path / "other.pem"
    other.write_text(Authority().text)
    found = refusal(host, msgspec.structs.replace(ways(host)["basic-https"], ca_file=str(other)))
    assert isinstance(found, errors.WinRmCertificateRefused)


def test_a_certificate_for_another_name_is_refused(host: WindowsHost) -> None:
    elsewhere = f"127.{int(host.address.split('.')[1]) + 1}.0.1"
    found = refusal(host, msgspec.structs.replace(ways(host)["basic-https"], address=elsewhere))
    assert isinstance(found, errors.WinRmCertificateRefused | errors.WinRmUnreachable)


def test_a_host_is_reached_by_its_address_and_proved_by_its_name(tmp_path: Path) -> None:
    """Its certificate knows the name only, as those of a domain's authority do."""
    named = WindowsHost(tmp_path, settings={"max_shells_per_user": 5})
    key, certificate = named.authority.issue_for(x509.SubjectAlternativeName([x509.DNSName(FQDN)]), FQDN)
    named.key, named.certificate = write_secret(tmp_path / "key", key), write_secret(tmp_path / "pem", certificate)
    named.boot()
    try:
        by_address = ways(named)["ntlm-https"]
        assert isinstance(refusal(named, by_address), errors.WinRmCertificateRefused)
        for name, fits in ((FQDN, True), ("beta.lab.example", False)):
            address = msgspec.structs.replace(by_address, host_name=name)
            if fits:
                with shell_at(named, address) as shell:
                    assert shell.run("hostname", (), b"", 30.0).out == b"ALPHA\r\n"
            else:
                assert isinstance(refusal(named, address), errors.WinRmCertificateRefused)
    finally:
        named.close()


def test_nobody_listens(host: WindowsHost) -> None:
    with shell_at(host, msgspec.structs.replace(ways(host)["ntlm"], port=1)) as shell, pytest.raises(NotReached):
        shell.run("hostname", (), b"", 30.0)


def test_too_many_shells_are_a_quota(host: WindowsHost) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(shell_at(host, ways(host)["ntlm"])).run("hostname", (), b"", 30.0)
        found = refusal(host, ways(host)["ntlm"])
    assert isinstance(found, errors.WinRmQuota)


def test_a_shell_that_is_gone_is_opened_anew(host: WindowsHost) -> None:
    with shell_at(host, ways(host)["ntlm"]) as shell:
        shell.run("hostname", (), b"", 30.0)
        host.control.ask("delete-shells")
        assert shell.run("hostname", (), b"", 30.0).code == 0


def test_a_link_that_drops_before_the_input_is_whole_has_begun_nothing(host: WindowsHost) -> None:
    with shell_at(host, ways(host)["ntlm"]) as shell:
        host.control.trouble("reset", verb="Create")
        with pytest.raises(NotReached):
            shell.run("hostname", (), b"", 30.0)
        assert shell.run("hostname", (), b"", 30.0).code == 0


@pytest.mark.parametrize("verb", ["Send", "Receive"])
def test_a_link_that_drops_later_may_have_begun_it(host: WindowsHost, verb: str) -> None:
    with shell_at(host, ways(host)["ntlm"]) as shell:
        host.control.trouble("reset", verb=verb)
        with pytest.raises(LinkLost):
            shell.run("more", (), b"x", 30.0)
        assert shell.run("hostname", (), b"", 30.0).code == 0


def test_a_connection_that_was_closed_meanwhile_is_logged_in_anew(host: WindowsHost) -> None:
    with shell_at(host, ways(host)["ntlm"]) as shell:
        shell.run("hostname", (), b"", 30.0)
        host.control.trouble("reset", verb="Command")
        assert shell.run("hostname", (), b"", 30.0).code == 0


def test_what_does_not_end_in_time_is_given_up(host: WindowsHost) -> None:
    with shell_at(host, ways(host)["ntlm"]) as shell, pytest.raises(TooLate):
        shell.run("ping", ("-n", "60", "127.0.0.1"), b"", 0.0)


def test_access_denied_by_the_host_itself(host: WindowsHost) -> None:
    host.control.trouble("deny", verb="Create")
    assert isinstance(refusal(host, ways(host)["ntlm"]), errors.WinRmNotAuthorised)
