"""Steps become scripts: quoted, sealed, the same every time; people's own commands survive."""

from __future__ import annotations

import os
import subprocess
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.scripting import (
    OWN_BEGIN,
    OWN_END,
    SCRIPTS,
    ScriptDamaged,
    TemplateUnusable,
    keep_edited,
    regenerate,
    render,
    template_facts,
    template_names,
)
from tests.lab.scripts import ScriptHost, step
from tests.unit.scripting import sql_cases

GOLDEN = Path(__file__).parent / "golden"
RUNTIME = (resources.files("scripts") / "templates/common/runtime.sh").read_text().rstrip("\n")
DNS = {
    "name": "alpha.lab.example",
    "servers": ["10.0.0.5", "10.0.0.6:5353"],
    "key_file": "/etc/dtam/dns.key",
    "addresses": [{"source": "10.0.0.10", "target": "10.0.0.20"}, ["2001:db8::10", "2001:db8::20"]],
    "zones": ["example.org"],
    "target_name": "beta.lab.example",
    "ttl_s": 60,
}
CASES = {
    "empty": ("post_restore", []),
    "post_failover": (
        "post_failover",
        [
            step("data", "fileserver/data_present", "see that /srv/files is here", path="/srv/files"),
            step(
                "start-files",
                "common/start_service",
                "start service files on beta",
                service={"name": "files", "unit": None},
            ),
            step("names-to-target", "common/move_names", "lead the names to beta", **DNS),
            step(
                "clients-served",
                "common/ask_as_client",
                "see that clients are served",
                name="alpha.lab.example",
                dns={"servers": ["10.0.0.5"]},
                url="http://alpha.lab.example:8080/health",
                expect="well",
                within_s=20,
            ),
        ],
    ),
    "identity": (
        "post_failover",
        [
            step("put-shares", "common/put_shares", document={"shares": [{"name": "it's", "path": "/srv/$(x) `y`"}]}),
            step("take-names", "common/take_names", document={"netbios": ["ALPHA"]}),
            step("take-addresses", "common/take_addresses", document={"addresses": []}, undo_file="/var/lib/a b.json"),
            step("take-spns", "common/take_spns", document={"source": "ALPHA$", "names": ["alpha"]}),
        ],
    ),
    "identity_back": (
        "pre_failback",
        [
            step(f"give-{what}", f"common/{template}", "", "pre_failback", document={"x": "<&'\n>"})
            for what, template in (
                ("spns", "give_spns_back"),
                ("addresses", "give_addresses_back"),
                ("names", "give_names_back"),
                ("shares", "take_shares_away"),
            )
        ],
    ),
    "pre_failback": (
        "pre_failback",
        [
            step("stop-files", "common/stop_service", "stop files", "pre_failback", service="files"),
            step("stop-smbd", "common/stop_unit", "stop smbd", "pre_failback", unit="smbd.service"),
            step("names-to-source", "common/put_names_back", "put names back", "pre_failback", **DNS),
        ],
    ),
    "odd_names": (
        "pre_failover",
        [
            step(
                'it\'s "odd"; $(touch x)',
                "common/run_command",
                "line one\n# >>> your own commands\nrm -rf /",
                "pre_failover",
                command=["printf", "%s\n", "a'b", '$HOME "x" `id`', "new\nline", "é ü"],
                undo_command=["echo", "back\ttab"],
            ),
            step(
                "asked",
                "common/ask_as_client",
                "ask",
                "pre_failover",
                name="a.lab.example",
                url="",
                command=["smbclient", "//{name}/a b", "-c", "ls"],
                expect="",
                dns={"servers": []},
            ),
            step("wait", "common/wait", "wait", "pre_failover", seconds=1.5),
            step(
                "short-ttl",
                "common/set_ttl",
                "lower the TTL",
                "pre_failover",
                **{key: value for key, value in DNS.items() if key != "target_name"},
            ),
            step("unit", "common/start_unit", "start", "pre_failover", unit="a b@c.service"),
        ],
    ),
    "kept": (
        "post_failover",
        [
            step("keep-shares", "common/keep_shares", "keep the shares ready", document={"shares": []}),
            step("drop-shares", "common/drop_shares", "take the waiting shares away", document={"shares": []}),
        ],
    ),
    "staying": (
        "post_failover",
        [
            step("names-to-target", "common/move_names", "lead the names to the target", **DNS),
            step("stay-here", "common/stay_here", "leave with beta for good what was taken", **DNS),
        ],
    ),
    "refreshing": (
        "post_failover",
        [step("refresh-names", "common/refresh_names", "register the names again", **DNS)],
    ),
    "sql": sql_cases.CASE,
}


def rendered(case):
    name, steps = CASES[case]
    return render(name, "files on alpha", steps)


@pytest.mark.parametrize("case", CASES)
def test_golden_files(case):
    """The rendered text of each case. After a wanted change: DTAM_GOLDEN=write pytest tests/unit/scripting."""
    path, text = GOLDEN / f"{case}.sh", rendered(case).text
    if case != "empty":  # which holds the runtime that all scripts share; the others name its place
        assert text.count(RUNTIME) == 1
        text = text.replace(RUNTIME, "# ... runtime.sh ...")
    if os.environ.get("DTAM_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("case", CASES)
def test_bash_accepts_it(case, tmp_path):
    script = tmp_path / "script"
    script.write_text(rendered(case).text)
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("case", CASES)
def test_shellcheck_has_nothing_to_say(case, tmp_path, needs):
    needs("shellcheck")
    script = tmp_path / "script"
    script.write_text(rendered(case).text)
    done = subprocess.run(["shellcheck", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_template_tells_its_deed_and_its_undo():
    assert {"common/start_service", "common/move_names", "fileserver/data_present"} <= set(template_names())
    for name in template_names():
        facts = template_facts(name)
        assert facts.does
        assert facts.undo


def test_every_template_is_in_a_case():
    used = {one.script.template for _, steps in CASES.values() for one in steps}
    assert used == set(template_names())


def test_a_missing_variable_is_named():
    with pytest.raises(TemplateUnusable, match="needs service"):
        render("post_failover", "p", [step("s", "common/start_service")])


def test_an_unknown_variable_is_named():
    with pytest.raises(TemplateUnusable, match="does not know servcie"):
        render("post_failover", "p", [step("s", "common/start_service", service="a", servcie="b")])


def test_an_unknown_template_is_named():
    with pytest.raises(TemplateUnusable, match="no such template"):
        render("post_failover", "p", [step("s", "common/nothing")])


def test_only_the_scripts_own_steps_are_in_it():
    steps = [step("a", "common/wait", seconds=1), step("b", "common/wait", script="pre_failback", seconds=1)]
    assert render("post_failover", "p", steps).step_ids == ("a",)
    assert set(SCRIPTS) >= {"post_failover", "pre_failback"}


def with_own(text, commands):
    return text.replace(f"{OWN_BEGIN}\n", f"{OWN_BEGIN}\n{commands}")


@pytest.mark.covers("AM-09")
def test_own_commands_survive_a_new_rendering():
    first = rendered("post_failover").text
    edited = with_own(first, "  logger 'beta took over'\n")
    again = regenerate("post_failover", "files on alpha", CASES["post_failover"][1][:2], edited)
    assert "  logger 'beta took over'\n" in again.script.text
    assert again.edited is None
    assert again.warning == ""


@pytest.mark.covers("AM-09")
def test_a_change_elsewhere_is_warned_of_and_kept():
    first = with_own(rendered("post_failover").text, "  true\n").replace("set -u -o pipefail", "set -e")
    again = regenerate("post_failover", "files on alpha", CASES["post_failover"][1], first)
    assert "changed outside the place" in again.warning
    assert again.edited == first
    assert "  true\n" in again.script.text
    assert "set -u -o pipefail" in again.script.text


def test_changed_scripts_are_kept_one_beside_the_other(tmp_path):
    steps = CASES["post_failover"][1]
    for word in ("-e", "-x", "-e"):
        changed = rendered("post_failover").text.replace("set -u -o pipefail", f"set {word}")
        keep_edited(tmp_path, regenerate("post_failover", "files on alpha", steps, changed))
    kept = {path.name: "set -e" in path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"post_failover.edited": True, "post_failover.edited.2": False}
    assert keep_edited(tmp_path, regenerate("post_failover", "p", steps, None)) is None


def test_lost_marks_are_refused():
    with pytest.raises(ScriptDamaged):
        regenerate("post_failover", "p", [], rendered("post_failover").text.replace(OWN_END, ""))


def test_a_first_rendering_has_nothing_to_keep():
    assert regenerate("post_restore", "files on alpha", [], None).script == rendered("empty")


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=40))
def test_any_value_arrives_as_one_word(tmp_path_factory, value):
    """A path may hold anything: what the command is given is what was asked for, and no code."""
    host = ScriptHost(tmp_path_factory.mktemp("host") / "h")
    out = host.path / "out"
    command = ["python3", "-c", "import sys; open(sys.argv[1], 'w', newline='').write(sys.argv[2])", str(out), value]
    host.deliver(
        "post_failover",
        render("post_failover", "files", [step("odd", "common/run_command", value, command=command)]).text,
    )
    done = host.run("post_failover")
    assert done.returncode == 0, done.stderr
    assert out.read_bytes().decode() == value
    assert host.events() == [("odd", "about-to"), ("odd", "done")]


def test_templates_are_found_as_package_data():
    from importlib import resources

    text = (resources.files("scripts") / "templates/common/start_service.sh.j2").read_text()
    assert "does:" in text


def test_the_page_about_scripts_names_every_template_and_variable():
    page = (Path(__file__).parents[3] / "docs/explanation/scripts.md").read_text()
    for name in template_names():
        facts = template_facts(name)
        lines = [line for line in page.splitlines() if f"`{name}`" in line]
        assert lines, name
        for variable in (*facts.needs, *facts.optional):
            assert variable.split(".")[0] in lines[0], f"{name}: {variable}"
