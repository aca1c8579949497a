"""The WS-Management service: authorisation, limits, and which operation does what, per [MS-WSMV] 3.1.4."""

from __future__ import annotations

import base64
import binascii
import threading
import time
import uuid
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol
from xml.sax.saxutils import escape, quoteattr

from tests.lab.windows.wire import codes, soap
from tests.lab.windows.wire.accounts import Identity
from tests.lab.windows.wire.codes import Fault
from tests.lab.windows.wire.configuration import Configuration
from tests.lab.windows.wire.shells import CMD, CODE_PAGES, STATE, Shell, Shells
from tests.lab.windows.wire.soap import RSP, SPACES, Request

TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer/"
SHELL = RSP
CONFIG = "http://schemas.microsoft.com/wbem/wsman/1/config"
DEFAULT_TIMEOUT_S = 60.0
OVERHEAD_BYTES = 4096  # what an envelope weighs around the data of a Receive
SMALLEST_ENVELOPE = 8192
KNOWN_OPTIONS = {
    "WINRS_NOPROFILE", "WINRS_CODEPAGE", "WINRS_CONSOLEMODE_STDIN", "WINRS_SKIP_CMD_SHELL",
    "WSMAN_CMDSHELL_OPTION_KEEPALIVE",
}  # fmt: skip


class Plugin(Protocol):
    """Shells of another resource URI, such as PowerShell's."""

    def handles(self, resource: str) -> bool: ...
    def create(self, asked: Request, caller: Identity) -> bytes: ...
    def operate(self, verb: str, asked: Request, caller: Identity, gone: Callable[[], bool]) -> bytes: ...


def yes(text: str) -> bool:
    """A value of an option or an attribute that is true or false."""
    return text.strip().lower() in {"true", "1"}


class Service:
    """Answers the envelopes of callers that are known."""

    def __init__(
        self,
        configuration: Configuration,
        shells: Shells,
        base_environment: Mapping[str, str],
        plugins: tuple[Plugin, ...] = (),
    ) -> None:
        self.configuration = configuration
        self.shells = shells
        self._environment = base_environment
        self.plugins = plugins
        self._operations: Counter[str] = Counter()
        self._lock = threading.Lock()

    def check_size(self, request_bytes: int) -> None:
        """Raises Fault for a request above MaxEnvelopeSizekb."""
        if request_bytes > self.configuration.max_envelope_size_kb * 1024:
            raise Fault(codes.ENVELOPE_TOO_LARGE)

    def answer(self, asked: Request, caller: Identity, gone: Callable[[], bool]) -> bytes:
        """The envelope of the answer. Raises Fault."""
        if asked.envelope_bytes is not None and asked.envelope_bytes < SMALLEST_ENVELOPE:
            raise Fault(codes.ENVELOPE_TOO_SMALL)
        with self._counted(caller):
            if asked.resource == CONFIG:
                return self._settings(asked, caller)
            verb = self._verb(asked)
            plugin = next((one for one in self.plugins if one.handles(asked.resource)), None)
            if plugin is None and asked.resource not in {CMD, SHELL}:
                raise Fault(codes.UNKNOWN_RESOURCE)
            self._let_in(caller)
            if verb == "Create":
                return plugin.create(asked, caller) if plugin else self._create(asked, caller)
            if plugin:
                return plugin.operate(verb, asked, caller, gone)
            return self._operate(verb, asked, caller, gone)

    @contextmanager
    def _counted(self, caller: Identity) -> Iterator[None]:
        with self._lock:
            if self._operations[caller.name] >= self.configuration.max_concurrent_operations_per_user:
                raise Fault(codes.TOO_MANY_OPERATIONS)
            self._operations[caller.name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._operations[caller.name] -= 1

    @staticmethod
    def _verb(asked: Request) -> str:
        for space in (TRANSFER, SHELL + "/"):
            verb = asked.action.removeprefix(space)
            if verb != asked.action and verb in {
                "Create", "Get", "Delete", "Command", "Send", "Receive", "Signal",
            }:  # fmt: skip
                return verb
        raise Fault(codes.ACTION_NOT_SUPPORTED)

    def _let_in(self, caller: Identity) -> None:
        if not caller.may_open_shells:
            raise Fault(codes.ACCESS_DENIED)
        if not self.configuration.allow_remote_shell_access:
            raise Fault(codes.SHELLS_NOT_ALLOWED)

    def _settings(self, asked: Request, caller: Identity) -> bytes:
        if asked.action != TRANSFER + "Get":
            raise Fault(codes.ACTION_NOT_SUPPORTED)
        if not caller.elevated:
            raise Fault(codes.ACCESS_DENIED)
        settings = self.configuration
        body = (
            f"<cfg:Config><cfg:MaxEnvelopeSizekb>{settings.max_envelope_size_kb}</cfg:MaxEnvelopeSizekb>"
            f"<cfg:MaxTimeoutms>{settings.max_timeout_ms}</cfg:MaxTimeoutms><cfg:MaxBatchItems>32000</cfg:MaxBatchItems>"
            f"<cfg:Winrs><cfg:AllowRemoteShellAccess>{str(settings.allow_remote_shell_access).lower()}</cfg:AllowRemoteShellAccess>"
            f"<cfg:IdleTimeout>{settings.idle_timeout_ms}</cfg:IdleTimeout>"
            f"<cfg:MaxConcurrentUsers>{settings.max_concurrent_users}</cfg:MaxConcurrentUsers>"
            f"<cfg:MaxProcessesPerShell>{settings.max_processes_per_shell}</cfg:MaxProcessesPerShell>"
            f"<cfg:MaxMemoryPerShellMB>{settings.max_memory_per_shell_mb}</cfg:MaxMemoryPerShellMB>"
            f"<cfg:MaxShellsPerUser>{settings.max_shells_per_user}</cfg:MaxShellsPerUser></cfg:Winrs></cfg:Config>"
        )
        return soap.answer(asked, body)

    # -- shells ----------------------------------------------------------------------------------------------------
    def new_shell(self, asked: Request, caller: Identity, code_page: int) -> Shell:
        """A shell as the request describes it, not yet in the table. Raises Fault."""
        wanted = asked.part("rsp:Shell")

        def said(name: str) -> str:
            found = wanted.find(f"rsp:{name}", SPACES)
            return (found.text or "").strip() if found is not None else ""

        idle_s, most_s = soap.seconds(said("IdleTimeOut") or "PT0S"), self.configuration.idle_timeout_ms / 1000
        if idle_s and not 1 <= idle_s <= most_s:  # below 1000 ms or above the setting
            raise Fault(codes.IDLE_TIMEOUT_BOUNDS)
        lifetime, now_s = said("Lifetime"), time.monotonic()
        variables = {
            one.get("Name", ""): one.text or "" for one in wanted.findall("rsp:Environment/rsp:Variable", SPACES)
        }
        return Shell(
            id=(wanted.get("ShellId") or str(uuid.uuid4())).upper(),
            resource=asked.resource,
            owner=caller,
            input_streams=tuple(said("InputStreams").split()),
            output_streams=tuple(said("OutputStreams").split()),
            idle_timeout_s=idle_s or most_s,
            lifetime_s=soap.seconds(lifetime) if lifetime else None,
            environment={**self._environment, "USERNAME": caller.name.rpartition("\\")[2], **variables},
            directory=said("WorkingDirectory"),
            code_page=code_page,
            profile=not yes(asked.option("WINRS_NOPROFILE")),
            name=said("Name"),
            born_s=now_s,
            touched_s=now_s,
        )

    def _create(self, asked: Request, caller: Identity) -> bytes:
        if asked.resource != CMD:
            raise Fault(codes.UNKNOWN_RESOURCE)
        self._check_options(asked)
        page = asked.option("WINRS_CODEPAGE") or "437"
        if not page.isdigit() or int(page) not in CODE_PAGES:
            raise Fault(codes.CODE_PAGE)
        shell = self.new_shell(asked, caller, int(page))
        if not set(shell.input_streams) <= {"stdin"}:
            raise Fault(codes.INPUT_STREAM)
        if not shell.output_streams or not set(shell.output_streams) <= {"stdout", "stderr"}:
            raise Fault(codes.DESIRED_STREAMS)
        return created(asked, self.shells.add(shell))

    @staticmethod
    def _check_options(asked: Request) -> None:
        for option in asked.options:
            if option.must and option.name.upper() not in KNOWN_OPTIONS:
                raise Fault(codes.UNKNOWN_OPTION, f"The option {option.name} is not known. ")

    def _operate(self, verb: str, asked: Request, caller: Identity, gone: Callable[[], bool]) -> bytes:
        if "ShellId" not in asked.selectors:
            raise Fault(codes.MISSING_SELECTORS)
        shell = self.shells.find(asked.selectors["ShellId"], caller)
        if verb == "Get":
            return soap.answer(asked, described(shell))
        if verb == "Delete":
            self.shells.delete(shell)
            return soap.answer(asked, "")
        shell.busy += 1
        try:
            return getattr(self, f"_{verb.lower()}")(asked, shell, gone)
        finally:
            shell.busy -= 1
            shell.touched_s = time.monotonic()

    # -- commands --------------------------------------------------------------------------------------------------
    def _command(self, asked: Request, shell: Shell, _gone: Callable[[], bool]) -> bytes:
        self._check_options(asked)
        wanted = asked.part("rsp:CommandLine")
        command, arguments = wanted.find("rsp:Command", SPACES), wanted.findall("rsp:Arguments", SPACES)
        if command is None or not (command.text or "").strip():
            raise Fault(codes.MALFORMED, "There is no command. ")
        words = [command.text or "", *(one.text or "" for one in arguments)]
        direct = yes(asked.option("WINRS_SKIP_CMD_SHELL"))
        made = self.shells.run(shell, " ".join(words), not direct, wanted.get("CommandId", ""))
        return soap.answer(
            asked, f"<rsp:CommandResponse><rsp:CommandId>{made.id}</rsp:CommandId></rsp:CommandResponse>"
        )

    def _send(self, asked: Request, shell: Shell, _gone: Callable[[], bool]) -> bytes:
        for stream in asked.part("rsp:Send").findall("rsp:Stream", SPACES):
            command = shell.command(stream.get("CommandId", ""))
            if stream.get("Name") not in shell.input_streams or command.call.stdin.ended:
                raise Fault(codes.INPUT_STREAM)
            command.call.stdin.put(decoded(stream), yes(stream.get("End", "")))
        return soap.answer(asked, "<rsp:SendResponse/>")

    def wait_s(self, asked: Request) -> float:
        """How long an operation may wait for something to say."""
        most_s = self.configuration.max_timeout_ms / 1000
        return min(asked.timeout_s if asked.timeout_s is not None else DEFAULT_TIMEOUT_S, most_s)

    def room_bytes(self, asked: Request) -> int:
        """How many bytes of data fit into the answer, as base64, within what the caller and the host allow."""
        most = self.configuration.max_envelope_size_kb * 1024
        return max((min(asked.envelope_bytes or most, most) - OVERHEAD_BYTES) * 3 // 4, 1024)

    def _receive(self, asked: Request, shell: Shell, gone: Callable[[], bool]) -> bytes:
        desired = asked.part("rsp:Receive").find("rsp:DesiredStream", SPACES)
        streams = (desired.text or "").split() if desired is not None else []
        if desired is None or not streams or not set(streams) <= set(shell.output_streams):
            raise Fault(codes.DESIRED_STREAMS)
        command = shell.command(desired.get("CommandId", ""))
        heard = command.receive(streams, self.wait_s(asked), self.room_bytes(asked), gone)
        return soap.answer(asked, received(command.id, heard.parts, heard.exit_code, streams))

    def _signal(self, asked: Request, shell: Shell, _gone: Callable[[], bool]) -> bytes:
        wanted = asked.part("rsp:Signal")
        code = wanted.find("rsp:Code", SPACES)
        self.shells.signal(
            shell, shell.command(wanted.get("CommandId", "")), (code.text or "") if code is not None else ""
        )
        return soap.answer(asked, "<rsp:SignalResponse/>")


def decoded(stream: ET.Element) -> bytes:
    """The bytes that a Stream element carries. Raises Fault."""
    try:
        return base64.b64decode(stream.text or "", validate=True)
    except binascii.Error:
        raise Fault(codes.MALFORMED, "The stream is not base64. ") from None


def described(shell: Shell) -> str:
    """The element Shell of [MS-WSMV] 2.2.4.38."""
    now_s = time.monotonic()
    return (
        f"<rsp:Shell><rsp:ShellId>{shell.id}</rsp:ShellId><rsp:Name>{escape(shell.name)}</rsp:Name>"
        f"<rsp:ResourceUri>{escape(shell.resource)}</rsp:ResourceUri><rsp:Owner>{escape(shell.owner.name)}</rsp:Owner>"
        f"<rsp:ClientIP>{shell.owner.address}</rsp:ClientIP><rsp:IdleTimeOut>PT{shell.idle_timeout_s:.3f}S</rsp:IdleTimeOut>"
        f"<rsp:InputStreams>{' '.join(shell.input_streams)}</rsp:InputStreams>"
        f"<rsp:OutputStreams>{' '.join(shell.output_streams)}</rsp:OutputStreams>"
        f"<rsp:ShellRunTime>PT{now_s - shell.born_s:.0f}S</rsp:ShellRunTime>"
        f"<rsp:ShellInactivity>PT{now_s - shell.touched_s:.0f}S</rsp:ShellInactivity><rsp:State>Connected</rsp:State></rsp:Shell>"
    )


def created(asked: Request, shell: Shell) -> bytes:
    """The answer to Create."""
    body = (
        f"<x:ResourceCreated><a:Address>{soap.ANONYMOUS}</a:Address><a:ReferenceParameters>"
        f"<w:ResourceURI>{escape(shell.resource)}</w:ResourceURI>"
        f'<w:SelectorSet><w:Selector Name="ShellId">{shell.id}</w:Selector></w:SelectorSet>'
        f"</a:ReferenceParameters></x:ResourceCreated>{described(shell)}"
    )
    return soap.answer(asked, body)


def received(command_id: str, parts: list[tuple[str, bytes]], exit_code: int | None, streams: list[str]) -> str:
    """The body of the answer to Receive."""
    of = f" CommandId={quoteattr(command_id)}" if command_id else ""
    text = "".join(
        f'<rsp:Stream Name="{name}"{of}>{base64.b64encode(data).decode()}</rsp:Stream>' for name, data in parts
    )
    if exit_code is None:
        state = f'<rsp:CommandState{of} State="{STATE}Running"/>' if command_id else ""
    else:
        text += "".join(f'<rsp:Stream Name="{name}"{of} End="true"/>' for name in streams)
        state = f'<rsp:CommandState{of} State="{STATE}Done"><rsp:ExitCode>{exit_code}</rsp:ExitCode></rsp:CommandState>'
    return f"<rsp:ReceiveResponse>{text}{state}</rsp:ReceiveResponse>"
