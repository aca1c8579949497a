"""The engine's package: this installation, taken as it is, in one file that a host without network and without pip can unpack.

It holds the packages of dtam and of what dtam needs, exactly the files that run here (so nothing is resolved or built anew), the
units, the host's script, and the capture program where it can be built here. Its release id names all of that: the version, a hash
of every file, the Python and the machine it is for. The same installation gives the same id.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import platform
import re
import sys
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path, PurePosixPath

from orchestrator.engine.capture.build import ensure_built
from orchestrator.engine.capture.errors import BuildFailed
from orchestrator.engine.mirror import survey
from orchestrator.hosts.errors import PackageUnbuildable

OWN = "dtam"
OWN_PACKAGES = ("orchestrator", "plugins", "scripts")
OWN_FACTS = ("METADATA", "entry_points.txt")
SCRIPT = "host/engine-host.sh"
PROGRAMS = "host/programs"
_LEFT_OUT = ("__pycache__", ".pyc", ".dist-info/RECORD", ".dist-info/direct_url.json")
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\s*(?:\[(?P<extras>[^]]*)\])?[^;]*(?:;(?P<marker>.*))?")
_EXTRA = re.compile(r"""extra\s*==\s*['"](?P<name>[^'"]+)['"]""")


@dataclass(frozen=True, slots=True)
class Package:
    """What goes to a host: the files by their place below the release, and the id of all of them."""

    release: str
    files: Mapping[str, bytes]
    programs: frozenset[str]

    @property
    def script(self) -> bytes:
        """The host's script, which installs, upgrades and removes."""
        return self.files[SCRIPT]

    def packed(self) -> bytes:
        """One compressed archive, byte for byte the same for the same files."""
        packed = io.BytesIO()
        with (
            gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=3, mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w") as archive,
        ):
            for name in sorted(self.files):
                entry = tarfile.TarInfo(name)
                entry.size = len(self.files[name])
                entry.mode = 0o755 if name in self.programs else 0o644
                archive.addfile(entry, io.BytesIO(self.files[name]))
        return packed.getvalue()


def build_package() -> Package:
    """The package of this installation.

    Raises:
        PackageUnbuildable: something that dtam needs is not installed here as files that can be copied.
    """
    site = f"lib/python{_python()}/site-packages"
    files = {f"{site}/{name}": content for name, content in _packages()}
    capture = dict(_capture())
    files |= capture | _host_files() | {PROGRAMS: _programs()}
    return Package(_release(files), files, frozenset((*capture, SCRIPT)))


def _release(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return f"{metadata.version(OWN)}-{digest.hexdigest()[:12]}-py{_python()}-{platform.machine()}"


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _packages() -> Iterator[tuple[str, bytes]]:
    yield from _own_packages()
    for distribution in _needed(metadata.distribution(OWN), (), {OWN: metadata.distribution(OWN)}):
        yield from _installed(distribution)


def _own_packages() -> Iterator[tuple[str, bytes]]:
    """Dtam's own files, wherever they lie: an installation from a clone has them outside of site-packages."""
    for package in OWN_PACKAGES:
        root = Path(str(resources.files(package)))
        for path in sorted(root.rglob("*")):
            name = f"{package}/{path.relative_to(root).as_posix()}"
            if path.is_file() and not _is_left_out(name):
                yield name, path.read_bytes()
    own = metadata.distribution(OWN)
    for fact in OWN_FACTS:
        yield f"{OWN}-{own.version}.dist-info/{fact}", (own.read_text(fact) or "").encode()


def _installed(distribution: metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    name = distribution.metadata["Name"]
    if distribution.files is None:
        raise PackageUnbuildable(why=f"{name} is installed without a list of its files")
    for file in distribution.files:
        place = PurePosixPath(file)
        if place.is_absolute() or ".." in place.parts or _is_left_out(str(place)):
            continue
        try:
            yield str(place), Path(str(distribution.locate_file(file))).read_bytes()
        except OSError as error:
            raise PackageUnbuildable(why=f"{file} of {name}: {error.strerror}") from error


def _is_left_out(name: str) -> bool:
    return any(part in name for part in _LEFT_OUT)


def _needed(
    distribution: metadata.Distribution, extras: Iterable[str], known: dict[str, metadata.Distribution]
) -> Iterator[metadata.Distribution]:
    """What a distribution needs, and what that needs, each once. One whose condition does not hold here is not installed here."""
    for requirement in distribution.requires or ():
        found = _REQUIREMENT.match(requirement)
        if found is None or not _is_asked_for(found["marker"] or "", extras):
            continue
        name = re.sub(r"[-_.]+", "-", found["name"]).lower()
        if name in known:
            continue
        try:
            known[name] = metadata.distribution(found["name"])
        except metadata.PackageNotFoundError:
            if found["marker"]:
                continue
            raise PackageUnbuildable(why=f"{found['name']}, which dtam needs, is not installed") from None
        yield known[name]
        yield from _needed(known[name], [one.strip() for one in (found["extras"] or "").split(",")], known)


def _is_asked_for(marker: str, extras: Iterable[str]) -> bool:
    wanted = _EXTRA.findall(marker)
    return not wanted or any(one in extras for one in wanted)


def _capture() -> Iterator[tuple[str, bytes]]:
    """What is built of C, so that a host needs no compiler; without one here the host builds it, or does without."""
    for build in (ensure_built, survey.built):
        try:
            built = build()
        except BuildFailed:
            continue
        yield f"host/capture/{built.name}", built.read_bytes()


def _host_files() -> dict[str, bytes]:
    folder = resources.files("scripts") / "host"
    return {f"host/{file.name}": file.read_bytes() for file in folder.iterdir() if file.is_file()}


def _programs() -> bytes:
    """Program, module and function of each command, one a line."""
    entries = [one for one in metadata.distribution(OWN).entry_points if one.group == "console_scripts"]
    lines = sorted(f"{one.name} {one.module} {one.attr}\n" for one in entries)
    return "".join(lines).encode()
