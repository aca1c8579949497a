"""What goes to a host: everything that runs here and nothing else, the same for the same, and units that systemd takes."""

from __future__ import annotations

import configparser
import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.hosts import package as subject
from orchestrator.hosts.debian import as_debian_package
from orchestrator.hosts.errors import HostNotReached, InstallationFailed
from orchestrator.hosts.installing import Installer, Line, Way
from orchestrator.hosts.package import SCRIPT, Package, build_package

pytestmark = pytest.mark.covers("ENG-INS-01")
HOST = Path(__file__).parents[3] / "scripts" / "host"
UNITS = ("dtengine.service", "dtengine-fence@.service", "dtwitness.service")


@pytest.fixture(scope="module")
def built() -> Package:
    return build_package()


def test_it_holds_what_runs_here_and_nothing_of_the_development(built: Package) -> None:
    site = next(name for name in built.files if name.endswith("/orchestrator/__init__.py")).partition("orchestrator")[0]
    names = {name.removeprefix(site).partition("/")[0] for name in built.files if name.startswith(site)}
    assert {"orchestrator", "plugins", "scripts", "uvicorn", "click", "pydantic", "yaml", "dns", "h11"} <= names
    assert not {"pytest", "mypy", "ruff", "hypothesis"} & names
    assert f"{site}scripts/templates/common/script.sh.j2" in built.files
    assert any(name.endswith("dist-info/entry_points.txt") and "dtam" in name for name in built.files)
    assert not [name for name in built.files if "__pycache__" in name or "direct_url" in name]
    assert b"dtengine orchestrator.engine.cli.dtengine main\n" in built.files["host/programs"]


def test_the_same_is_packed_the_same_and_a_change_is_another_release(built: Package, monkeypatch) -> None:
    again = build_package()
    assert (again.release, again.packed()) == (built.release, built.packed())
    monkeypatch.setattr(subject, "_host_files", lambda: {SCRIPT: b"another"})
    assert build_package().release != built.release


def test_the_archive_unpacks_below_a_release_only(built: Package) -> None:
    with tarfile.open(fileobj=io.BytesIO(built.packed())) as archive:
        names = archive.getnames()
        assert archive.getmember(SCRIPT).mode == 0o755
    assert not [name for name in names if name.startswith("/") or ".." in name.split("/")]
    assert {name.split("/")[0] for name in names} == {"lib", "host"}


@pytest.mark.parametrize("unit", UNITS)
def test_units_call_programs_of_the_release_and_are_hardened(unit: str) -> None:
    parsed = configparser.RawConfigParser(strict=False)
    parsed.optionxform = str  # type: ignore[method-assign,assignment]
    parsed.read(HOST / unit)
    service = parsed["Service"]
    assert service["ExecStart"].startswith("/opt/dtam/current/bin/dt")
    assert service["UMask"] == "0077"
    assert "CapabilityBoundingSet" in service
    assert service["SystemCallArchitectures"] == "native"
    own_mounts = {
        "ProtectSystem",
        "ProtectHome",
        "PrivateTmp",
        "PrivateDevices",
        "ProtectKernelTunables",
        "ProtectProc",
    }
    if unit == "dtengine.service":
        assert not own_mounts & set(service), "a capture would be mounted where nobody sees it"
        assert service["KillMode"] == "process"
    else:
        assert own_mounts <= set(service)
        assert service["NoNewPrivileges"] == "yes"


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_takes_the_units(needs, tmp_path: Path, unit: str) -> None:
    needs("systemd-analyze")
    for name in UNITS:
        text = (HOST / name).read_text().replace("/opt/dtam/current/bin/dtengine", "/bin/true")
        (tmp_path / name).write_text(text.replace("/opt/dtam/current/bin/dtwitness", "/bin/true"))
    chosen = tmp_path / unit.replace("@.", "@files.")
    if not chosen.exists():
        chosen.write_text((tmp_path / unit).read_text())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(chosen)],
        check=False,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:/lib/systemd/system", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if str(tmp_path) in line]) == (0, [])


def test_the_hosts_script_is_sound(needs) -> None:
    needs("shellcheck")
    done = subprocess.run(["shellcheck", str(HOST / "engine-host.sh")], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_a_deb_has_the_release_and_calls_the_hosts_script(needs, built: Package, tmp_path: Path) -> None:
    needs("dpkg-deb")
    made = tmp_path / "dtam-engine.deb"
    made.write_bytes(as_debian_package(built))
    subprocess.run(["dpkg-deb", "--raw-extract", str(made), str(tmp_path / "out")], check=True)
    assert f"--release {built.release}" in (tmp_path / "out/DEBIAN/postinst").read_text()
    assert "remove --uninstall" in (tmp_path / "out/DEBIAN/prerm").read_text()
    assert (tmp_path / "out/usr/lib/dtam-engine/package.tar.gz").read_bytes() == built.packed()


def test_ssh_is_never_asked_for_a_password_and_carries_no_secret() -> None:
    words = Way("admin@alpha", Path("/etc/ssh/mine")).command(["sh", "-s", "--", "token", "a b"])
    assert words[:3] == ["ssh", "-F", "/etc/ssh/mine"]
    assert "BatchMode=yes" in words
    assert words[-2] == "admin@alpha"
    assert words[-1].endswith("sh -s -- token 'a b'")
    assert Way().command(["true"])[:2] == ["sh", "-c"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("done\tunits\tlaid\n", Line("done", "units", "laid")),
        ("failed\tcheck\tno room\tmake room\n", Line("failed", "check", "no room", "make room")),
        ("Welcome to alpha\n", Line("note", "", "Welcome to alpha")),
    ],
)
def test_lines_are_read_and_a_greeting_is_a_note(text: str, line: Line) -> None:
    assert Line.parse(text) == line


def test_a_failed_step_is_one_error_with_what_to_do(tmp_path: Path, built: Package, needs: Callable[..., None]) -> None:
    needs("root")
    said: list[Line] = []
    script = b"printf 'done\\tone\\tit is so\\nfailed\\ttwo\\tno room\\tmake room\\n'; exit 1"
    stand_in = Package(built.release, {SCRIPT: script}, frozenset())
    with pytest.raises(InstallationFailed, match="the engine on alpha: two: no room") as failed:
        Installer("alpha", Way(), said.append).remove(stand_in, uninstall=True, dry_run=True)
    assert failed.value.hint == "make room"
    assert said == [Line("done", "one", "it is so")]


def test_a_way_that_leads_nowhere_is_said(tmp_path: Path, built: Package) -> None:
    config = tmp_path / "config"
    config.write_text("Host nowhere\n  HostName 127.0.0.1\n  Port 1\n  UserKnownHostsFile /dev/null\n")
    with pytest.raises(HostNotReached, match="alpha cannot be reached through ssh nowhere") as failed:
        Installer("alpha", Way("nowhere", config), lambda _: None).install(built, {}, dry_run=True)
    assert "ssh -o BatchMode=yes nowhere true" in failed.value.hint
