"""PowerShell remoting: [MS-PSRP] over the shells of WS-Management, its messages read and written by psrpcore's server side.

A runspace pool is a shell of the resource http://schemas.microsoft.com/powershell/NAME, a pipeline is a command in it. Named
configurations (such as a restricted endpoint) say which commands they have; what they do not have does not exist there.
"""

from __future__ import annotations

import base64
import binascii
import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from xml.etree.ElementTree import Element

import psrpcore
from psrpcore import types as ps

from tests.lab.windows.powershell import values as v
from tests.lab.windows.wire import codes, soap
from tests.lab.windows.wire.accounts import Identity
from tests.lab.windows.wire.codes import Fault
from tests.lab.windows.wire.execution import Call, Input, Output
from tests.lab.windows.wire.remote_values import error_record, from_wire, quoted, to_wire
from tests.lab.windows.wire.service import Service, created, decoded, described, received
from tests.lab.windows.wire.shells import SIGNAL, Command, Shell
from tests.lab.windows.wire.soap import SPACES, Request

RESOURCE = "http://schemas.microsoft.com/powershell/"
PS_CTRL_C = {"powershell/signal/ctrl_c", "powershell/signal/crtl_c"}  # the latter as [MS-PSRP] spells it
CREATION = "{http://schemas.microsoft.com/powershell}creationXml"
FRAGMENT_BYTES = 32_768
END = object()
PARSE_EXCEPTION = "System.Management.Automation.ParseException"
NOT_FOUND_EXCEPTION = "System.Management.Automation.CommandNotFoundException"


@dataclass(frozen=True)
class Configuration:
    """A session configuration: its name and its commands. With ``visible`` it has these only, and no language (about_Language_Modes)."""

    name: str = "Microsoft.PowerShell"
    visible: frozenset[str] | None = None  # in lower case

    @property
    def language_mode(self) -> str:
        """What the language may do there."""
        return "FullLanguage" if self.visible is None else "NoLanguage"

    def check(self, pipeline: Any) -> None:
        """Raises v.Terminating for a pipeline with a script, or a command that this configuration does not have."""
        for command in pipeline.commands if self.visible is not None else ():
            text = str(command.command_text)
            if command.is_script:
                message = "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode."
                raise v.Terminating(
                    v.ErrorRecord("ScriptsNotAllowed", message, "ParserError", exception=PARSE_EXCEPTION)
                )
            if text.lower() not in (self.visible or ()):
                message = f"The term '{text}' is not recognized as the name of a cmdlet, function, script file, or operable program."
                error = v.ErrorRecord("CommandNotFoundException", message, "ObjectNotFound", text, NOT_FOUND_EXCEPTION)
                raise v.Terminating(error)


@dataclass
class Pipeline:
    """What a script of a pipeline is given, and where its objects go."""

    script: str
    identity: Identity
    configuration: Configuration
    stopped: threading.Event
    given: queue.Queue[Any]
    server: psrpcore.ServerPipeline
    tell: Callable[[Callable[[], None]], None]
    runspace: dict[str, Any]  # what outlives the pipeline in its runspace

    def items(self) -> Iterator[Any]:
        """The objects of its input, until the end of them."""
        while (one := self.given.get()) is not END:
            yield one

    def output(self, value: Any) -> None:
        """An object of the success stream."""
        self.tell(lambda: self.server.write_output(to_wire(value)))

    def error(self, record: v.ErrorRecord) -> None:
        """An error that does not end the script."""
        self.tell(lambda: self.server.prepare_message(error_record(record), ps.PSRPMessageType.ErrorRecord))

    def say(self, stream: str, text: str) -> None:
        """A line of another stream: warning, verbose, debug, information."""
        if stream == "information":
            self.tell(lambda: self.server.write_information(text, "simulation"))
        else:
            self.tell(lambda: getattr(self.server, f"write_{stream}")(text))


class RunsPipelines(Protocol):
    """The evaluator behind."""

    def pipeline(self, run: Pipeline) -> None:
        """Run it to its end. Raises v.Terminating when it ends with an error."""
        ...


@dataclass
class Pool:
    """One runspace pool."""

    shell: Shell
    configuration: Configuration
    own: Command
    server: psrpcore.ServerRunspacePool = field(default_factory=psrpcore.ServerRunspacePool)
    lock: threading.RLock = field(default_factory=threading.RLock)
    given: dict[str, queue.Queue[Any]] = field(default_factory=dict)
    runspace: dict[str, Any] = field(default_factory=dict)

    def flush(self) -> None:
        """Bring what is to be sent where its receivers look for it."""
        while payload := self.server.data_to_send(FRAGMENT_BYTES):
            name = str(payload.pipeline_id).upper() if payload.pipeline_id else ""
            if (command := self.shell.commands.get(name)) is not None:
                command.call.output.put(payload.data)

    def tell(self, deed: Callable[[], None]) -> None:
        """Do something with the server side and send what comes of it."""
        with self.lock:
            deed()
            self.flush()


def argument(given: tuple[str | None, Any]) -> str:
    """A parameter with its value, a switch, or an argument by place, as text. Raises ValueError."""
    name, value = given
    if not name:
        return quoted(from_wire(value))
    plain = name.rstrip(":").lstrip("-")
    return f"-{plain}" if value is None else f"-{plain}:{quoted(from_wire(value))}"


def script_of(pipeline: Any) -> str:
    """The commands of a pipeline as the text of a script. Raises ValueError for an argument that has no text."""
    statements, parts = [], []
    for command in pipeline.commands:
        text = str(command.command_text)
        if not command.is_script:
            text = " ".join([f"& {quoted(text)}", *map(argument, command.parameters)])
        elif command.parameters or len(pipeline.commands) > 1:
            text = " ".join([f"& {{ {text}\n}}", *map(argument, command.parameters)])
        parts.append(text)
        if command.end_of_statement:
            statements.append(" | ".join(parts))
            parts = []
    return "\n".join([*statements, *([" | ".join(parts)] if parts else [])])


class PowerShellPlugin:
    """Runspace pools of a host."""

    def __init__(
        self, service: Service, back: RunsPipelines, configurations: tuple[Configuration, ...] = (Configuration(),)
    ) -> None:
        self._service = service
        self._back = back
        self._configurations = {(RESOURCE + one.name).lower(): one for one in configurations}
        self._pools: dict[str, Pool] = {}

    def handles(self, resource: str) -> bool:
        """Whether a resource is a session configuration that is registered here."""
        return resource.lower() in self._configurations

    # -- the pool ---------------------------------------------------------------------------------------------------
    def create(self, asked: Request, caller: Identity) -> bytes:
        """A new runspace pool."""
        version = asked.option("protocolversion")
        if not version.startswith("2."):
            raise Fault(codes.UNKNOWN_OPTION, f"The protocol version {version!r} is not supported. ")
        shell = self._service.new_shell(asked, caller, 65001)
        found = asked.part("rsp:Shell").find(CREATION)
        if found is None:
            raise Fault(codes.MALFORMED, "There is no creationXml. ")
        self._service.shells.add(shell)
        own = shell.commands[""] = Command("", self._call(shell))  # what the pool itself has to say
        pool = self._pools[shell.id] = Pool(shell, self._configurations[asked.resource.lower()], own)
        self._hear(pool, decoded(found), None)
        return created(asked, shell)

    @staticmethod
    def _call(shell: Shell) -> Call:
        return Call("", False, shell.owner, {}, "", 65001, False, Input(), Output(), threading.Event())

    def operate(self, verb: str, asked: Request, caller: Identity, gone: Callable[[], bool]) -> bytes:
        """Everything else."""
        if "ShellId" not in asked.selectors:
            raise Fault(codes.MISSING_SELECTORS)
        shell = self._service.shells.find(asked.selectors["ShellId"], caller)
        pool = self._pools[shell.id]
        if verb == "Get":
            return soap.answer(asked, described(shell))
        if verb == "Delete":
            self._service.shells.delete(shell)
            del self._pools[shell.id]
            return soap.answer(asked, "")
        shell.busy += 1
        try:
            return getattr(self, f"_{verb.lower()}")(asked, pool, gone)
        finally:
            shell.busy -= 1

    # -- pipelines --------------------------------------------------------------------------------------------------
    def _command(self, asked: Request, pool: Pool, _gone: Callable[[], bool]) -> bytes:
        wanted = asked.part("rsp:CommandLine")
        try:
            identifier = uuid.UUID(wanted.get("CommandId", ""))
            data = base64.b64decode(wanted.findtext("rsp:Arguments", "", SPACES), validate=True)
        except (ValueError, binascii.Error):
            raise Fault(codes.MALFORMED, "A pipeline needs an id and its first fragment. ") from None
        name = str(identifier).upper()
        if name in pool.shell.commands:
            raise Fault(codes.COMMAND_NAME_TAKEN)
        pool.shell.commands[name] = Command(name, self._call(pool.shell))
        pool.given[name] = queue.Queue()
        with pool.lock:
            psrpcore.ServerPipeline(pool.server, identifier)
        self._hear(pool, data, identifier)
        return soap.answer(asked, f"<rsp:CommandResponse><rsp:CommandId>{name}</rsp:CommandId></rsp:CommandResponse>")

    def _send(self, asked: Request, pool: Pool, _gone: Callable[[], bool]) -> bytes:
        for stream in asked.part("rsp:Send").findall("rsp:Stream", SPACES):
            if stream.get("Name") not in pool.shell.input_streams:
                raise Fault(codes.INPUT_STREAM)
            name = stream.get("CommandId", "").upper()
            if name:
                pool.shell.command(name)
            self._hear(pool, decoded(stream), uuid.UUID(name) if name else None)
        return soap.answer(asked, "<rsp:SendResponse/>")

    def _receive(self, asked: Request, pool: Pool, gone: Callable[[], bool]) -> bytes:
        desired: Element | None = asked.part("rsp:Receive").find("rsp:DesiredStream", SPACES)
        if desired is None or (desired.text or "").split() != ["stdout"]:
            raise Fault(codes.DESIRED_STREAMS)
        name = desired.get("CommandId", "").upper()
        command = pool.shell.command(name) if name else pool.own
        heard = command.receive(["stdout"], self._service.wait_s(asked), self._service.room_bytes(asked), gone)
        return soap.answer(asked, received(command.id, heard.parts, heard.exit_code, ["stdout"]))

    def _signal(self, asked: Request, pool: Pool, _gone: Callable[[], bool]) -> bytes:
        wanted = asked.part("rsp:Signal")
        command = pool.shell.command(wanted.get("CommandId", "").upper())
        code = wanted.findtext("rsp:Code", "", SPACES).lower()
        if code not in {*PS_CTRL_C, SIGNAL + "terminate"}:
            raise Fault(codes.MALFORMED, f"{code} is no signal. ")
        command.call.stopped.set()
        pool.given[command.id].put(END)
        if code not in PS_CTRL_C:
            command.end(0)
            pool.shell.commands.pop(command.id, None)
        return soap.answer(asked, "<rsp:SignalResponse/>")

    # -- messages ---------------------------------------------------------------------------------------------------
    def _hear(self, pool: Pool, data: bytes, identifier: uuid.UUID | None) -> None:
        """Take fragments in and do what their messages say."""
        with pool.lock:
            try:
                pool.server.receive_data(psrpcore.PSRPPayload(data, psrpcore.StreamType.default, identifier))
                while (event := pool.server.next_event()) is not None:
                    self._obey(pool, event)
            except (psrpcore.PSRPCoreError, ValueError, KeyError) as error:
                raise Fault(codes.MALFORMED, f"The message of PowerShell remoting cannot be read: {error} ") from error
            pool.flush()

    def _obey(self, pool: Pool, event: Any) -> None:
        match event:
            case psrpcore.CreatePipelineEvent():
                self._start(pool, event.pipeline_id)
            case psrpcore.PipelineInputEvent():
                pool.given[str(event.pipeline_id).upper()].put(from_wire(event.data))
            case psrpcore.EndOfPipelineInputEvent():
                pool.given[str(event.pipeline_id).upper()].put(END)
            case psrpcore.GetAvailableRunspacesEvent():
                busy = sum(one.call.output.exit_code is None for one in pool.shell.commands.values() if one.id)
                pool.server.runspace_availability_response(event.ci, max(pool.server.max_runspaces - busy, 0))
            case psrpcore.SetMaxRunspacesEvent() | psrpcore.SetMinRunspacesEvent() | psrpcore.ResetRunspaceStateEvent():
                pool.server.runspace_availability_response(event.ci, True)
            case psrpcore.GetCommandMetadataEvent():
                raise ValueError("metadata of commands is not part of this simulation")
            case _:
                pass

    def _start(self, pool: Pool, identifier: uuid.UUID) -> None:
        name = str(identifier).upper()
        command, server = pool.shell.commands[name], pool.server.pipeline_table[identifier]
        metadata: Any = server.metadata
        if metadata.no_input:
            pool.given[name].put(END)
        run = Pipeline(
            script_of(metadata),
            pool.shell.owner,
            pool.configuration,
            command.call.stopped,
            pool.given[name],
            server,
            pool.tell,
            pool.runspace,
        )
        server.start()
        threading.Thread(target=self._run, args=(pool, command, run), daemon=True, name=f"pipeline {name}").start()

    def _run(self, pool: Pool, command: Command, run: Pipeline) -> None:
        failed: ps.ErrorRecord | None = None
        try:
            pool.configuration.check(run.server.metadata)
            self._back.pipeline(run)
        except v.Terminating as error:
            failed = error_record(error.record)
        except v.Cancelled:
            pass
        except BaseException as error:  # noqa: BLE001 - a fault of the simulation must be seen by the client, not lost in a thread
            failed = error_record(v.ErrorRecord("SimulationFailed", f"simulation failed: {error!r}"))
        with pool.lock:
            if command.call.stopped.is_set():
                run.server.stop()
            elif failed is not None:
                run.server._change_state(ps.PSInvocationState.Failed, failed)
            else:
                run.server.complete()
            pool.flush()
            run.server.close()
        command.call.output.end(0)
