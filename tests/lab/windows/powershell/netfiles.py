"""System.IO.File, Directory, Path and FileStream, on the machine's volumes."""

from __future__ import annotations

import ntpath
import os
import shutil
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.instances import Raised
from tests.lab.windows.powershell.values import Byte, Computed, EnumValue, Int64, PsObject, typed

if TYPE_CHECKING:
    from tests.lab.windows.powershell.evaluate import Interpreter

Methods = dict[str, Callable[..., Any]]
OPEN_FILES: dict[str, list[tuple[str, str]]] = {}
GATE = threading.Lock()


def real(shell: Interpreter, name: Any) -> Path:
    """The real path of a Windows path; relative ones stand below the process's directory, C:\\Windows\\system32."""
    text = to_text(name)
    if not text:
        raise Raised("System.ArgumentException", "Empty path name is not legal.")
    if not ntpath.splitdrive(text)[0]:
        text = ntpath.join(shell.session.location, text)
    return shell.machine.files.open_path(ntpath.normpath(text))


def must_be(shell: Interpreter, name: Any) -> Path:
    """The real path of a file that has to be there."""
    path = real(shell, name)
    if path.is_file():
        return path
    if not path.parent.is_dir():
        raise Raised("System.IO.DirectoryNotFoundException", f"Could not find a part of the path '{to_text(name)}'.")
    if path.is_dir():
        raise Raised("System.UnauthorizedAccessException", f"Access to the path '{to_text(name)}' is denied.")
    raise Raised("System.IO.FileNotFoundException", f"Could not find file '{to_text(name)}'.")


def is_open(path: Path) -> bool:
    """Whether anybody has the file open, so that it cannot be moved or removed."""
    with GATE:
        return bool(OPEN_FILES.get(str(path)))


def is_being_written(path: Path) -> bool:
    """Whether somebody has the file open in a way that keeps a reader out who shares reading alone."""
    with GATE:
        held = OPEN_FILES.get(str(path), [])
        return any(want != "read" or allow not in ("read", "readwrite") for want, allow in held)


def readable(shell: Interpreter, name: Any) -> Path:
    """The real path of a file that is read whole, by FileShare.Read."""
    path = must_be(shell, name)
    if is_being_written(path):
        raise in_use(name)
    return path


def unopened(shell: Interpreter, name: Any) -> Path:
    """The real path of a file that is moved away."""
    path = must_be(shell, name)
    if is_open(path):
        raise in_use(name)
    return path


def may_be(shell: Interpreter, name: Any) -> Path:
    """The real path of a file that is going to be written."""
    path = real(shell, name)
    if not path.parent.is_dir():
        raise Raised("System.IO.DirectoryNotFoundException", f"Could not find a part of the path '{to_text(name)}'.")
    if path.is_dir():
        raise Raised("System.UnauthorizedAccessException", f"Access to the path '{to_text(name)}' is denied.")
    with GATE:
        if OPEN_FILES.get(str(path)):
            raise in_use(name)
    return path


def in_use(name: Any) -> Raised:
    """Somebody else has the file open."""
    return Raised(
        "System.IO.IOException",
        f"The process cannot access the file '{to_text(name)}' because it is being used by another process.",
    )


def decoded(data: bytes, coding: Any = None) -> str:
    """Text of a file: by its byte order mark, else as asked for, else UTF-8."""
    for mark, name in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    return data.decode(coding.get("__python") if isinstance(coding, PsObject) else "utf-8", "replace")


def encoded(text: str, coding: Any = None) -> bytes:
    """Text as bytes with the byte order mark that the encoding writes."""
    if not isinstance(coding, PsObject):
        return text.encode()
    name = coding.get("__python")
    mark = (
        {"utf-8": b"\xef\xbb\xbf", "utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(name, b"")
        if coding.get("__mark")
        else b""
    )
    return mark + text.encode(name, "replace")


def _lines(text: str) -> list[Any]:
    return list(text.replace("\r\n", "\n").removesuffix("\n").split("\n")) if text else []


def _joined(lines: Any) -> str:
    return "".join(to_text(one) + "\r\n" for one in (lines if isinstance(lines, list) else [lines]))


def file_methods(shell: Interpreter) -> Methods:
    """[System.IO.File]."""

    def write(path: Path, data: bytes) -> None:
        path.write_bytes(data)

    def append(path: Path, data: bytes) -> None:
        with path.open("ab") as file:
            file.write(data)

    def delete(name: Any) -> None:
        path = real(shell, name)
        if not path.parent.is_dir():
            raise Raised(
                "System.IO.DirectoryNotFoundException", f"Could not find a part of the path '{to_text(name)}'."
            )
        may_be(shell, name)
        path.unlink(missing_ok=True)

    def copy(source: Any, target: Any, over: Any = False) -> None:
        into = may_be(shell, target)
        if into.exists() and not over:
            raise Raised("System.IO.IOException", f"The file '{to_text(target)}' already exists.")
        shutil.copyfile(readable(shell, source), into)

    def move(source: Any, target: Any) -> None:
        into = may_be(shell, target)
        if into.exists():
            raise Raised("System.IO.IOException", "Cannot create a file when that file already exists.\r\n")
        unopened(shell, source).rename(into)

    def replace(source: Any, target: Any, backup: Any = None, *_: Any) -> None:
        first, into = unopened(shell, source), unopened(shell, target)
        if backup is not None and to_text(backup):
            shutil.copyfile(into, may_be(shell, backup))
        first.replace(into)

    return {
        "exists": lambda name: bool(to_text(name)) and real(shell, name).is_file(),
        "readalltext": lambda name, coding=None: decoded(readable(shell, name).read_bytes(), coding),
        "readalllines": lambda name, coding=None: _lines(decoded(readable(shell, name).read_bytes(), coding)),
        "readallbytes": lambda name: [Byte(one) for one in readable(shell, name).read_bytes()],
        "writealltext": lambda name, text, coding=None: write(may_be(shell, name), encoded(to_text(text), coding)),
        "writealllines": lambda name, lines, coding=None: write(may_be(shell, name), encoded(_joined(lines), coding)),
        "writeallbytes": lambda name, data: write(may_be(shell, name), bytes(int(one) for one in data)),
        "appendalltext": lambda name, text, coding=None: append(
            may_be(shell, name), encoded(to_text(text), coding if not real(shell, name).exists() else None)
        ),
        "appendalllines": lambda name, lines, coding=None: append(may_be(shell, name), encoded(_joined(lines))),
        "delete": delete,
        "copy": copy,
        "move": move,
        "replace": replace,
        "open": lambda name, mode, access=None, share=None: stream(shell, name, mode, access, share),
        "openread": lambda name: stream(shell, name, "Open", "Read", "Read"),
        "openwrite": lambda name: stream(shell, name, "OpenOrCreate", "Write", "None"),
        "create": lambda name: stream(shell, name, "Create", "ReadWrite", "None"),
    }


def _word(value: Any, default: str) -> str:
    return (
        default
        if value is None
        else value.name.casefold()
        if isinstance(value, EnumValue)
        else to_text(value).casefold()
    )


def stream(shell: Interpreter, name: Any, mode: Any, access: Any, share: Any) -> PsObject:
    """A FileStream; what was not shared is refused to the next one."""
    how = _word(mode, "open")
    want = _word(access, "write" if how == "append" else "readwrite")
    allow = _word(share, "read" if False else "none")
    path = real(shell, name)
    if not path.parent.is_dir():
        raise Raised("System.IO.DirectoryNotFoundException", f"Could not find a part of the path '{to_text(name)}'.")
    with GATE:
        for other_want, other_allow in OPEN_FILES.get(str(path), []):
            if not _shared(want, other_allow) or not _shared(other_want, allow):
                raise in_use(name)
        _prepare(path, how, name)
        key = (want, allow)
        OPEN_FILES.setdefault(str(path), []).append(key)
    flags = {"read": os.O_RDONLY, "write": os.O_WRONLY}.get(want, os.O_RDWR) | (os.O_APPEND if how == "append" else 0)
    return _file_stream(shell, path, os.open(path, flags), key)


def _shared(want: str, allow: str) -> bool:
    return all(allow in (part, "readwrite") for part in (("read", "write") if want == "readwrite" else (want,)))


def _prepare(path: Path, how: str, name: Any) -> None:
    exists = path.exists()
    if how == "createnew" and exists:
        raise Raised("System.IO.IOException", f"The file '{to_text(name)}' already exists.")
    if how in ("open", "truncate") and not exists:
        raise Raised("System.IO.FileNotFoundException", f"Could not find file '{to_text(name)}'.")
    if how in ("create", "truncate", "createnew") or not exists:
        path.write_bytes(b"")


def _file_stream(shell: Interpreter, path: Path, number: int, key: tuple[str, str]) -> PsObject:
    state = {"open": True}
    made = typed(
        "System.IO.FileStream",
        {"Name": str(path), "CanWrite": key[0] != "read", "CanRead": key[0] != "write"},
        "System.IO.Stream",
    )

    def close() -> None:
        if state["open"]:
            state["open"] = False
            os.close(number)
            with GATE:
                OPEN_FILES[str(path)].remove(key)
                if not OPEN_FILES[str(path)]:
                    del OPEN_FILES[str(path)]

    def check() -> None:
        if not state["open"]:
            raise Raised("System.ObjectDisposedException", "Cannot access a closed file.")

    def write(data: Any, start: Any, count: Any) -> None:
        check()
        if key[0] == "read":
            raise Raised("System.NotSupportedException", "Stream does not support writing.")
        os.write(number, bytes(int(one) for one in data[int(start) : int(start) + int(count)]))

    def read(into: Any, start: Any, count: Any) -> int:
        check()
        data = os.read(number, int(count))
        into[int(start) : int(start) + len(data)] = [Byte(one) for one in data]
        return len(data)

    def flush(to_disk: Any = False) -> None:
        check()
        if to_disk:
            os.fsync(number)

    def seek(offset: Any, origin: Any) -> Int64:
        check()
        return Int64(os.lseek(number, int(offset), {"begin": 0, "current": 1, "end": 2}[_word(origin, "begin")]))

    def read_byte() -> int:
        check()
        data = os.read(number, 1)
        return data[0] if data else -1

    made.properties["Length"] = Computed(lambda: Int64(os.fstat(number).st_size))
    made.properties["Position"] = Computed(lambda: Int64(os.lseek(number, 0, 1)), lambda at: seek(at, "begin"))
    made.methods = {
        "Write": write, "Read": read, "Flush": flush, "Seek": seek, "ReadByte": read_byte, "WriteByte": lambda one: write([one], 0, 1), "Close": close, "Dispose": close,
        "SetLength": lambda size: os.ftruncate(number, int(size)), "__read": path.read_bytes,
    }  # fmt: skip
    shell.closing.append(close)
    return made


def directory_methods(shell: Interpreter) -> Methods:
    """[System.IO.Directory]."""

    def listing(files: bool) -> Callable[..., Any]:
        def work(name: Any, pattern: Any = "*", *_: Any) -> list[Any]:
            folder = real(shell, name)
            if not folder.is_dir():
                raise Raised(
                    "System.IO.DirectoryNotFoundException", f"Could not find a part of the path '{to_text(name)}'."
                )
            base = to_text(name).rstrip("\\")
            from tests.lab.windows.powershell.patterns import like

            return [
                f"{base}\\{one.name}"
                for one in sorted(folder.iterdir())
                if one.is_file() is files and like(one.name, to_text(pattern))
            ]

        return work

    def delete(name: Any, deep: Any = False) -> None:
        folder = real(shell, name)
        if not folder.is_dir():
            raise Raised(
                "System.IO.DirectoryNotFoundException", f"Could not find a part of the path '{to_text(name)}'."
            )
        if any(folder.iterdir()) and not deep:
            raise Raised("System.IO.IOException", "The directory is not empty.\r\n")
        shutil.rmtree(folder)

    def create(name: Any) -> PsObject:
        real(shell, name).mkdir(parents=True, exist_ok=True)
        return typed(
            "System.IO.DirectoryInfo",
            {"FullName": to_text(name), "Name": ntpath.basename(to_text(name)), "Exists": True},
            text=to_text(name),
        )

    return {
        "exists": lambda name: bool(to_text(name)) and real(shell, name).is_dir(),
        "createdirectory": create,
        "getfiles": listing(files=True),
        "getdirectories": listing(files=False),
        "delete": delete,
    }


def path_methods(shell: Interpreter) -> Methods:
    """[System.IO.Path]."""

    def check(text: str) -> str:
        if any(char in text for char in '"<>|'):
            raise Raised("System.ArgumentException", "Illegal characters in path.")
        return text

    def combine(*parts: Any) -> str:
        return ntpath.join(*(check(to_text(one)) for one in parts))

    def folder(name: Any) -> str | None:
        found = ntpath.dirname(check(to_text(name)))
        return found or (
            None if ntpath.splitdrive(to_text(name))[1] in ("", "\\") and ntpath.splitdrive(to_text(name))[0] else ""
        )

    return {
        "combine": combine,
        "getfilename": lambda name: ntpath.basename(check(to_text(name))),
        "getfilenamewithoutextension": lambda name: ntpath.splitext(ntpath.basename(check(to_text(name))))[0],
        "getdirectoryname": folder,
        "getextension": lambda name: ntpath.splitext(check(to_text(name)))[1],
        "getpathroot": lambda name: (
            "".join(ntpath.splitroot(to_text(name))[:2])
            if hasattr(ntpath, "splitroot")
            else ntpath.splitdrive(to_text(name))[0] + "\\"
        ),
        "changeextension": lambda name, end: ntpath.splitext(to_text(name))[0] + to_text(end),
        "gettemppath": lambda: to_text(shell.environment.get("TEMP") or "C:\\Windows\\Temp") + "\\",
        "getrandomfilename": lambda: uuid.uuid4().hex[:8] + "." + uuid.uuid4().hex[:3],
        "getfullpath": lambda name: ntpath.normpath(
            to_text(name) if ntpath.splitdrive(to_text(name))[0] else ntpath.join(shell.location, to_text(name))
        ),
        "ispathrooted": lambda name: bool(ntpath.splitdrive(to_text(name))[0]) or to_text(name).startswith(("\\", "/")),
        "getinvalidfilenamechars": lambda: list('"<>|:*?\\/'),
    }
