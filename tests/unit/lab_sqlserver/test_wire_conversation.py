"""Conversations byte by byte: who is let in, what is refused, and what ends a connection."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.sqlserver.engine.port import Done, Failure, Info, ReturnStatus, ReturnValue, SqlType
from tests.lab.sqlserver.wire import requests, tokens
from tests.lab.sqlserver.wire.packets import END, IGNORE, RESET, Kind
from tests.lab.sqlserver.wire.prelogin import Encryption
from tests.lab.sqlserver.wire.reading import b_varchar, us_varchar, utf16
from tests.lab.waiting import until
from tests.unit.lab_sqlserver.wire_client import login_message, prelogin_message, with_headers
from tests.unit.lab_sqlserver.wire_engine import PASSWORD, table
from tests.unit.lab_sqlserver.wire_patience import patient
from tests.unit.lab_sqlserver.wire_server import Wire, wire

ONE = with_headers(utf16("one"))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Wire]:
    with wire(tmp_path) as server:
        server.instance.replies["one"] = lambda *_: table({"x": SqlType("int")}, (1,))
        yield server


def number_of(body: bytes) -> int:
    """The number of the first ERROR."""
    assert body[0] == tokens.ERROR
    return int(struct.unpack_from("<i", body, 3)[0])


def status_of(body: bytes) -> int:
    """The status of the last DONE."""
    assert body[-13] in {tokens.DONE, tokens.DONE_PROCEDURE}
    return int(struct.unpack_from("<H", body, len(body) - 12)[0])


# -- the way in -------------------------------------------------------------------------------------------------------
def test_who_is_let_in_is_greeted(served: Wire) -> None:
    with served.caller() as caller:
        answer = caller.log_in("sa", PASSWORD)
    assert answer[0] == tokens.CHANGE
    assert tokens.login_ack(0x74000004, "15.0.4322.2") in answer
    assert tokens.changed("packet_size", "4096", "4096") in answer
    assert answer.endswith(tokens.done(tokens.DONE))


def test_a_wrong_password(served: Wire) -> None:
    with served.caller() as caller:
        answer = caller.log_in("sa", "wrong")
        assert number_of(answer) == 18456
        assert status_of(answer) & tokens.FAILED
        assert caller.hear() is None


def test_features_are_acknowledged_as_far_as_they_are_there(served: Wire) -> None:
    with served.caller() as caller:
        caller.ask(Kind.PRELOGIN, prelogin_message())
        answer = caller.ask(Kind.LOGIN7, login_message("sa", PASSWORD, features={1: b"", 10: b"\1", 4: b"\1"}))
    assert tokens.features({10: b"\1"}) in answer


def test_an_instance_that_is_not_here(served: Wire) -> None:
    with served.caller() as caller:
        known = caller.ask(Kind.PRELOGIN, prelogin_message(instance="MSSQLServer"))
    with served.caller() as caller:
        unknown = caller.ask(Kind.PRELOGIN, prelogin_message(instance="SALES"))
    assert (len(known), known.count(b"\1")) == (len(unknown), unknown.count(b"\1") - 1)


def test_encryption_may_be_required(tmp_path: Path) -> None:
    with wire(tmp_path, force_encryption=True) as server, server.caller() as caller:
        assert bytes([Encryption.REQUIRED]) in caller.ask(Kind.PRELOGIN, prelogin_message())
        assert caller.hear() is None


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([(Kind.LOGIN7, login_message("sa", PASSWORD))], id="no PRELOGIN"),
        pytest.param([(Kind.PRELOGIN, prelogin_message()), (Kind.BATCH, ONE)], id="no LOGIN7"),
        pytest.param([(Kind.PRELOGIN, b"\x01\0\0\0\0\xff")], id="bent PRELOGIN"),
        pytest.param([(Kind.PRELOGIN, prelogin_message()), (Kind.LOGIN7, b"x" * 94)], id="bent LOGIN7"),
        pytest.param(
            [(Kind.PRELOGIN, prelogin_message()), (Kind.LOGIN7, login_message("sa", PASSWORD, tds=0x71000001))],
            id="old",
        ),
        pytest.param([(Kind.PRELOGIN, prelogin_message(99))], id="unknown encryption"),
        pytest.param([(Kind.OLD_LOGIN, b"")], id="TDS 4.2"),
        pytest.param([(Kind.PRELOGIN, prelogin_message(Encryption.ON)), (Kind.PRELOGIN, b"no TLS")], id="no TLS"),
    ],
)
def test_who_does_not_speak_tds_is_cut_off(served: Wire, said: list[tuple[Kind, bytes]]) -> None:
    with served.caller() as caller:
        for kind, body in said:
            caller.say(kind, body)
        while caller.hear() is not None:
            pass
    assert served.instance.sessions == []


# -- requests ---------------------------------------------------------------------------------------------------------
def test_bulk_data_that_nobody_asked_for_ends_the_connection(served: Wire) -> None:
    with served.guest() as caller:
        caller.say(Kind.BULK, b"\x81\0\0")
        assert caller.hear() is None
    until("the session is closed", lambda: served.instance.sessions[0].closed)


def test_bulk_data_is_refused(served: Wire) -> None:
    with served.guest() as caller:
        answer = caller.ask(Kind.BATCH, with_headers(utf16("insert bulk t (a int) with (TABLOCK)")))
        assert number_of(answer) == 4834
        assert status_of(caller.ask(Kind.BATCH, ONE)) == tokens.COUNTED


def test_a_procedure_that_is_not_there(served: Wire) -> None:
    with served.guest() as caller:
        answer = caller.ask(Kind.RPC, with_headers(us_varchar("nonesuch") + b"\0\0"))
    assert number_of(answer) == 2812
    assert status_of(answer) & tokens.FAILED
    assert tokens.return_status(2812) in answer


def test_statements_of_a_batch_are_told_apart(served: Wire) -> None:
    events = [Info(0, 1, 0, "said"), Done(3, "UPDATE"), Failure(547, 0, 16, "conflict"), Done(None, "INSERT")]
    served.instance.replies["many"] = lambda *_: [*events, *table({"x": SqlType("int")}, (1,))]
    with served.guest() as caller:
        answer = caller.ask(Kind.BATCH, with_headers(utf16("many")))
    assert tokens.done(tokens.DONE, tokens.MORE, "UPDATE", 3) in answer
    assert tokens.done(tokens.DONE, tokens.MORE | tokens.FAILED, "INSERT") in answer
    assert answer.endswith(tokens.done(tokens.DONE, 0, "SELECT", 1))


def test_what_a_call_gives_back(served: Wire) -> None:
    value = ReturnValue("@n", SqlType("int"), 7)
    served.instance.replies["p"] = lambda *_: [Done(1, "INSERT"), value, ReturnStatus(5)]
    with served.guest() as caller:
        answer = caller.ask(Kind.RPC, with_headers(us_varchar("p") + b"\0\0"))
    assert answer.startswith(tokens.done(tokens.DONE_IN_PROCEDURE, tokens.MORE, "INSERT", 1))
    assert b"\x79\0\0\0\0" + bytes([tokens.RETURN_VALUE]) in answer
    assert b_varchar("@n") in answer
    assert answer[-13] == tokens.DONE_PROCEDURE


def test_several_calls_in_one_message(served: Wire) -> None:
    served.instance.replies["p"] = lambda *_: [Done(1, "INSERT")]
    one = us_varchar("p") + b"\0\0"
    with served.guest() as caller:
        answer = caller.ask(Kind.RPC, with_headers(one + b"\xff" + one))
    assert answer.count(b"\x79\0\0\0\0") == 2
    assert not status_of(answer) & tokens.MORE


@pytest.mark.parametrize("kind", [requests.COMMIT, requests.ROLLBACK])
def test_a_transaction_begins_and_ends(served: Wire, kind: int) -> None:
    end = struct.pack("<H", kind) + b_varchar("") + b"\0"
    with served.guest() as caller:
        begun = caller.ask(Kind.TRANSACTION, with_headers(struct.pack("<HB", requests.BEGIN, 2) + b_varchar("")))
        descriptor = served.instance.sessions[0].transaction
        assert status_of(begun) & tokens.IN_TRANSACTION
        assert number_of(caller.ask(Kind.BATCH, ONE)) == 3989
        assert status_of(caller.ask(Kind.BATCH, with_headers(utf16("one"), descriptor))) & tokens.IN_TRANSACTION
        assert not status_of(caller.ask(Kind.TRANSACTION, with_headers(end, descriptor))) & tokens.IN_TRANSACTION
        assert number_of(caller.ask(Kind.TRANSACTION, with_headers(end))) in {3902, 3903}
        assert number_of(caller.ask(Kind.TRANSACTION, with_headers(struct.pack("<H", 0)))) == 8501


def test_a_connection_that_is_used_again_is_as_new(served: Wire) -> None:
    with served.guest() as caller:
        caller.say(Kind.BATCH, ONE, END | RESET)
        answer = caller.hear()
        assert answer is not None
        assert answer.body.startswith(tokens.changed("reset", "", ""))
    assert served.instance.heard[:2] == ["reset", "one"]


def test_a_request_that_is_taken_back(served: Wire) -> None:
    with served.guest() as caller:
        caller.say(Kind.BATCH, ONE, END | IGNORE)
        answer = caller.hear()
        assert answer is not None
        assert answer.body == tokens.done(tokens.DONE, tokens.FAILED)
        assert served.instance.heard == []


# -- attention --------------------------------------------------------------------------------------------------------
def test_an_attention_stops_what_runs(served: Wire) -> None:
    def wait(session: object, _: object) -> Iterator[Done]:
        assert served.instance.sessions[0].cancelled.wait(60)
        yield Done(0, "SELECT")

    served.instance.replies["wait"] = wait
    with served.guest() as caller:
        caller.say(Kind.BATCH, with_headers(utf16("wait")))
        until("it runs", lambda: "wait" in served.instance.heard)
        caller.say(Kind.ATTENTION, b"")
        answer = caller.hear()
        assert answer is not None
        assert answer.body.endswith(tokens.done(tokens.DONE, tokens.ATTENTION))
        assert status_of(caller.ask(Kind.BATCH, ONE)) == tokens.COUNTED  # nothing is left over


def test_an_attention_that_comes_too_late_is_acknowledged_alone(served: Wire) -> None:
    with served.guest() as caller:
        caller.ask(Kind.BATCH, ONE)
        assert caller.ask(Kind.ATTENTION, b"") == tokens.done(tokens.DONE, tokens.ATTENTION)


def test_an_attention_right_behind_its_request(served: Wire) -> None:
    with served.guest() as caller:
        for _ in range(50):
            caller.say(Kind.BATCH, ONE)
            caller.say(Kind.ATTENTION, b"")
            while True:
                answer = caller.hear()
                assert answer is not None
                if status_of(answer.body) & tokens.ATTENTION:
                    break
        assert status_of(caller.ask(Kind.BATCH, ONE)) == tokens.COUNTED


# -- the end ----------------------------------------------------------------------------------------------------------
def test_who_hangs_up_in_the_midst_is_noticed(served: Wire) -> None:
    def wait(session: object, _: object) -> Iterator[Done]:
        assert served.instance.sessions[0].cancelled.wait(60)
        yield Done(0, "SELECT")

    served.instance.replies["wait"] = wait
    with served.guest() as caller:
        caller.say(Kind.BATCH, with_headers(utf16("wait")))
        until("it runs", lambda: "wait" in served.instance.heard)
    until("the session is closed", lambda: served.instance.sessions[0].closed)


def test_a_session_that_the_server_ends(served: Wire) -> None:
    with served.guest() as caller:
        served.instance.sessions[0].ended = True
        assert caller.hear() is None
    until("the session is closed", lambda: served.instance.sessions[0].closed)


def test_a_fatal_error_ends_the_connection(served: Wire) -> None:
    served.instance.replies["fatal"] = lambda *_: [Failure(824, 2, 24, "torn page")]
    with served.guest() as caller:
        assert number_of(caller.ask(Kind.BATCH, with_headers(utf16("fatal")))) == 824
        assert caller.hear() is None


def test_a_fault_of_the_simulation_is_told(served: Wire) -> None:
    served.instance.replies["bad"] = lambda *_: table({"x": SqlType("int")}, ("no number",))
    with served.guest() as caller:
        answer = caller.ask(Kind.BATCH, with_headers(utf16("bad")))
        assert struct.pack("<i", 3624) in answer
        assert caller.hear() is None
    assert [type(one) for one in served.failures] == [ValueError]
    served.failures.clear()


def test_a_slow_reader_keeps_nothing_in_memory(served: Wire) -> None:
    given = 0

    def many(*_: object) -> Iterator[object]:
        nonlocal given
        events = table({"x": SqlType("nvarchar", 4000)})
        yield events[0]
        row = table({"x": SqlType("nvarchar", 4000)}, ("x" * 4000,))[1]
        while given < 10_000:
            given += 1
            yield row
        yield Done(given, "SELECT")

    served.instance.replies["many"] = many  # type: ignore[assignment]
    with served.guest() as caller:
        caller.say(Kind.BATCH, with_headers(utf16("many")))
        before = -1
        while before != given:  # 80 MB are on their way: it stops when the sockets are full
            before = given
            time.sleep(0.2)
        assert 0 < given < 5_000
    until("the session is closed", lambda: served.instance.sessions[0].closed)


# -- noise ------------------------------------------------------------------------------------------------------------
@patient
@given(
    kind=st.sampled_from([Kind.BATCH, Kind.RPC, Kind.TRANSACTION, Kind.SSPI, Kind.BULK]),
    noise=st.binary(max_size=80),
    headed=st.booleans(),
)
def test_noise_of_a_guest_is_answered_or_ends_the_connection(
    served: Wire, kind: Kind, noise: bytes, headed: bool
) -> None:
    with served.guest() as caller:
        caller.say(kind, with_headers(noise) if headed else noise)
        answer = caller.hear()
        if answer is not None:
            assert not status_of(answer.body) & tokens.MORE


@patient
@given(at=st.integers(0, 200), noise=st.binary(min_size=1, max_size=4), which=st.sampled_from(["prelogin", "login"]))
def test_bent_messages_on_the_way_in(served: Wire, at: int, noise: bytes, which: str) -> None:
    messages = {"prelogin": prelogin_message(), "login": login_message("sa", PASSWORD, features={10: b"\1"})}
    whole = messages[which]
    messages[which] = (whole[:at] + noise + whole[at + len(noise) :])[: len(whole)]
    with served.caller() as caller:
        caller.say(Kind.PRELOGIN, messages["prelogin"])
        if caller.hear() is not None:
            with contextlib.suppress(OSError):
                caller.say(Kind.LOGIN7, messages["login"])
            caller.socket.shutdown(socket.SHUT_WR)
            caller.hear()
