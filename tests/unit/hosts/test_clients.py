"""A client that knows only the name: asked over HTTP or by a command; nothing answers is worth another try."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from orchestrator.hosts.clients import NameClients
from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.ports import HealthProbe

NAME = "files.lab.example"


class Known(NameClients):
    """Resolves without a server."""

    def __init__(self, *found: str) -> None:
        super().__init__()
        self.found = found

    def addresses(self, name, timeout_s):  # noqa: ARG002
        return self.found


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        assert self.headers["Host"].startswith(NAME)
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()
        self.wfile.write(b"all is well")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def probe(port: int, path: str = "/health", **given: object) -> HealthProbe:
    return HealthProbe(NAME, f"http://{NAME}:{port}{path}", timeout_s=2.0, **given)  # type: ignore[arg-type]


def test_answers_through_its_name(port: int) -> None:
    assert Known("127.0.0.1").ask(probe(port)) == f"{NAME} answers 200 from 127.0.0.1: all is well"


def test_next_address_when_one_is_silent(port: int) -> None:
    assert "from 127.0.0.1" in Known("127.0.0.250", "127.0.0.1").ask(probe(port))


def test_trouble_and_wrong_answers_are_no_answers(port: int) -> None:
    with pytest.raises(TryAgain, match="answers 503"):
        Known("127.0.0.1").ask(probe(port, "/other"))
    with pytest.raises(TryAgain, match="answers without 'beta'"):
        Known("127.0.0.1").ask(probe(port, expect="beta"))


def test_nobody_there() -> None:
    with pytest.raises(TryAgain, match="it does not answer"):
        Known("127.0.0.250").ask(probe(1))


def test_name_that_nobody_knows() -> None:
    with pytest.raises(TryAgain, match="is not resolved"):
        NameClients([("127.0.0.250", 1)]).ask(HealthProbe(NAME, "http://x/", timeout_s=0.2))


def test_command() -> None:
    well = HealthProbe(NAME, command=("echo", "{name}", "{address}"), expect="127.0.0.1")
    assert Known("127.0.0.1").ask(well) == f"{NAME} is well at 127.0.0.1: {NAME} 127.0.0.1"
    with pytest.raises(TryAgain, match="says no"):
        Known("127.0.0.1").ask(HealthProbe(NAME, command=("false",)))
    with pytest.raises(GiveUp, match="cannot be run"):
        Known("127.0.0.1").ask(HealthProbe(NAME, command=("/no/such/command",)))
