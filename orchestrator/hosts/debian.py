"""The engine's package as a .deb: the same release and the same script, so that apt brings what else a host must have.

dpkg keeps two files; its maintainer scripts call the host's script, which is the one way of installing and removing.
"""

from __future__ import annotations

import platform
import subprocess
import tempfile
from pathlib import Path

from orchestrator.hosts.errors import PackageUnbuildable
from orchestrator.hosts.package import Package

PLACE = "usr/lib/dtam-engine"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64el", "armv7l": "armhf"}
CONTROL = """\
Package: dtam-engine
Version: {version}
Architecture: {architecture}
Maintainer: dtam <root@localhost>
Section: admin
Priority: optional
Installed-Size: {size_kb}
Depends: python{python}, tar, util-linux
Recommends: fuse3, libfuse3-3, libgssapi-krb5-2
Description: engine of dtam: capture, replication and failover of an application's data
 It serves a host that dtam protects, or that stands by for another. Its releases lie in /opt/dtam, its state in /var/lib/dtam.
"""
AFTER_INSTALL = """\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
sh /{place}/engine-host.sh install --package /{place}/package.tar.gz --release {release}
"""
BEFORE_REMOVE = """\
#!/bin/sh
set -e
[ "$1" = remove ] || exit 0
sh /{place}/engine-host.sh remove --uninstall
"""


def as_debian_package(package: Package) -> bytes:
    """The .deb file.

    Raises:
        PackageUnbuildable: there is no dpkg-deb here, or it refused.
    """
    with tempfile.TemporaryDirectory(prefix="dtam-deb-") as directory:
        root, made = Path(directory) / "root", Path(directory) / "made.deb"
        _lay_out(root, package)
        try:
            subprocess.run(
                ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(root), str(made)],
                check=True,
                capture_output=True,
                text=True,
            )
        except OSError as error:
            raise PackageUnbuildable(why=f"dpkg-deb: {error.strerror}") from error
        except subprocess.CalledProcessError as error:
            raise PackageUnbuildable(why=str(error.stderr).strip().splitlines()[-1]) from error
        return made.read_bytes()


def _lay_out(root: Path, package: Package) -> None:
    (root / PLACE).mkdir(parents=True, mode=0o755)
    (root / "DEBIAN").mkdir(mode=0o755)
    packed = package.packed()
    (root / PLACE / "package.tar.gz").write_bytes(packed)
    (root / PLACE / "engine-host.sh").write_bytes(package.script)
    (root / "DEBIAN" / "control").write_text(_control(package, len(packed)), encoding="ascii")
    for name, text in (("postinst", AFTER_INSTALL), ("prerm", BEFORE_REMOVE)):
        file = root / "DEBIAN" / name
        file.write_text(text.format(place=PLACE, release=package.release), encoding="ascii")
        file.chmod(0o755)


def _control(package: Package, size_bytes: int) -> str:
    version, digest, python, machine = package.release.split("-")
    return CONTROL.format(
        version=f"{version}+{digest}",
        architecture=ARCHITECTURES.get(machine, platform.machine()),
        size_kb=size_bytes // 1024,
        python=python.removeprefix("py"),
    )
