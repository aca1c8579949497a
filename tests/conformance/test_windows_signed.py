"""A Windows server that runs signed scripts only (AllSigned): the installation's, signed before they are laid, and delivered ones, signed there and accepted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from importlib import resources
from pathlib import Path

import pytest

from orchestrator.errors import DtamError
from orchestrator.hosts import winrm_scripts
from orchestrator.hosts.errors import ScriptsForbidden
from tests.conformance.pairs import laid_on, patiently
from tests.conformance.test_windows_host import RUN
from tests.conformance.windows_stage import Stage
from tests.lab.windows.machine.signatures import PUBLISHERS, signed
from tests.lab.windows.machine.task_runs import GROUP_POLICY
from tests.lab.windows.starting import windows_host

SIGNER = "5A" * 20
SCRIPT = r"C:\ProgramData\dtam\protections\p\scripts\post_failover.ps1"
CACHED = (winrm_scripts.scripts, winrm_scripts.installed_bytes)


@pytest.fixture(scope="module")
def signed_installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """As an administrator leaves dtam's own installation: each script that is laid has a signature at its end."""
    mine = tmp_path_factory.mktemp("installation")
    (mine / "windows").mkdir()
    laid = winrm_scripts.scripts()
    for one in (resources.files("scripts") / "windows").iterdir():
        data = one.read_bytes()
        (mine / "windows" / one.name).write_bytes(signed(data, SIGNER) if one.name in laid else data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winrm_scripts.resources, "files", lambda _package: mine)
        for one in CACHED:
            one.cache_clear()
        yield
    for one in CACHED:
        one.cache_clear()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, signed_installation: None) -> Iterator[Stage]:
    with windows_host(tmp_path_factory.mktemp("signed")) as served, ExitStack() as stack:
        registry = served.control.ask
        registry("machine", call="registry.put", arguments=[GROUP_POLICY, "EnableScripts", "DWord", 1])
        registry("machine", call="registry.put", arguments=[GROUP_POLICY, "ExecutionPolicy", "String", "AllSigned"])
        with pytest.raises(ScriptsForbidden, match="not trusted"):
            laid_on(served, stack)
        registry("machine", call="registry.make", arguments=[f"{PUBLISHERS}\\{SIGNER}"])
        made = Stage(served, *laid_on(served, stack))
        made.protect()
        yield made


def ended(stage: Stage, run: str) -> tuple[str, str]:
    """How a run of the delivered script ended, and what it said."""
    stage.host.run_script("p", "post_failover", run, ["one"], undo=False, epoch=1)

    def state() -> str:
        told = stage.host.script_run(run, "post_failover")
        return "" if told is None or told.state == "running" else told.state

    patiently(state, "the run ends")
    told = stage.host.script_run(run, "post_failover")
    assert told is not None
    return told.state, told.says


@pytest.mark.covers("AM-15")
def test_a_delivered_script_runs_when_it_was_signed_there_and_accepted(stage: Stage) -> None:
    host, there = stage.host, stage.path(SCRIPT)
    host.deliver_script("p", "post_failover", RUN)
    state, says = ended(stage, "unsigned")
    assert state == "failed"
    assert "is not digitally signed" in says
    there.write_bytes(signed(there.read_bytes(), SIGNER))
    assert host.changed_scripts("p") == ("post_failover",)
    with pytest.raises(DtamError, match="was changed on this host"):
        ended(stage, "not-accepted")
    text = host.script_text("p", "post_failover")
    assert text is not None
    before = there.read_bytes()
    host.deliver_script("p", "post_failover", text)
    assert there.read_bytes() == before, "accepted byte for byte"
    assert host.changed_scripts("p") == ()
    assert ended(stage, "signed") == ("done", "epoch 1")


def test_a_signature_that_no_longer_fits_is_refused_by_its_digest_and_by_powershell(stage: Stage) -> None:
    place: Path = stage.path(r"C:\Program Files\dtam\bin\call.ps1")
    whole = place.read_bytes()
    place.write_bytes(whole.replace(b"Set-StrictMode", b"Set-strictmode", 1))
    try:
        with pytest.raises(DtamError, match="SHA-256"):
            stage.host.protections()
    finally:
        place.write_bytes(whole)
    assert stage.host.protections() == (("p", "source"),)
