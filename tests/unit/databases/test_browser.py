"""SQL Browser's answers, asked over a real socket of the loopback."""

from __future__ import annotations

import socket
import struct
import threading

import pytest

from orchestrator.databases.browser import ask_port, browse, parse

ONE = "ServerName;ALPHA;InstanceName;SALES;IsClustered;No;Version;15.0.2000.5;tcp;57137;np;\\\\ALPHA\\pipe\\MSSQL$SALES\\sql\\query;;"
OTHER = "ServerName;ALPHA;InstanceName;MSSQLSERVER;IsClustered;Yes;Version;15.0.2000.5;tcp;1433;;"


def answer(text: str) -> bytes:
    return b"\x05" + struct.pack("<H", len(text)) + text.encode()


def test_each_group_is_an_instance_whatever_the_order_of_its_keys() -> None:
    mixed = "InstanceName;OPS;ServerName;ALPHA;Version;16.0.1000.6;;"
    found = parse(answer(ONE + OTHER + mixed))
    assert [(one.instance, one.port, one.clustered) for one in found] == [
        ("SALES", 57137, False),
        ("MSSQLSERVER", 1433, True),
        ("OPS", None, False),
    ]
    assert found[0].pipe.endswith("sql\\query")


@pytest.mark.parametrize(
    "raw", [b"", b"\x05", b"\x04\x00\x00", b"\x05\x09\x00short", answer("ServerName;ALPHA;;"), answer("x")]
)
def test_what_is_no_answer_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"it (does|says|names)"):
        parse(raw)


def test_ports_out_of_range_are_none() -> None:
    assert parse(answer("InstanceName;X;tcp;99999;;"))[0].port is None


class Browser:
    """Answers the first question that comes, after ``deaf`` others."""

    def __init__(self, reply: bytes, deaf: int = 0) -> None:
        self.door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.door.bind(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        self.questions: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, args=(reply, deaf))
        self._thread.start()

    def _serve(self, reply: bytes, deaf: int) -> None:
        while len(self.questions) <= deaf:
            question, sender = self.door.recvfrom(100)
            self.questions.append(question)
            if len(self.questions) > deaf:
                self.door.sendto(reply, sender)

    def end(self) -> None:
        self._thread.join(30)
        self.door.close()


def test_one_instance_is_asked_for_its_port() -> None:
    browser = Browser(answer(ONE))
    said = ask_port("127.0.0.1", "sales", port=browser.port, timeout_s=30)
    browser.end()
    assert said.port_of("Sales") == 57137
    assert browser.questions == [b"\x04sales\x00"]


def test_a_lost_question_is_asked_again() -> None:
    browser = Browser(answer(ONE), deaf=1)
    said = browse("127.0.0.1", port=browser.port, timeout_s=1.0)
    browser.end()
    assert [one.instance for one in said.entries] == ["SALES"]


def test_silence_and_nonsense_are_facts() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert "no SQL Browser listens" in browse("127.0.0.1", port=port, timeout_s=30).silence
    browser = Browser(b"hello")
    assert "is not SQL Browser's" in browse("127.0.0.1", port=browser.port, timeout_s=30).silence
    browser.end()
