"""A post_failover script killed with SIGKILL around every step: resumed it ends, undone it takes back what it did.

The script is the rendered one, dfo is the real one against a DNS server, the client's question is a real HTTP request; the
engine's services are stood in for by files.
"""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.request
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from demo.dnsserver import DnsServer, RunningServer
from demo.dnszone import ServedZone
from orchestrator.naming.values import NameServer
from orchestrator.scripting import OWN_BEGIN, render
from tests.lab.dnsserver import KEY, write_key
from tests.lab.names import zone
from tests.lab.scripts import ScriptHost, step

ZONE = """
$TTL 60
@ IN SOA ns1.lab.example. admin.lab.example. 7 3600 600 86400 60
@ IN NS ns1.lab.example.
ns1 IN A 127.0.0.1
alpha 60 IN A 127.0.0.21
"""
STEPS = ("data", "start-files", "names-to-target", "clients-served", "own-step")
ALL_DONE = dict.fromkeys(STEPS[1:], "done")


class World:
    """A DNS server, the target's host, and the service that answers at the target's address while the host says it runs."""

    def __init__(self, stack, tmp_path) -> None:
        zones = [ServedZone.from_text("lab.example.", ZONE)]
        running = stack.enter_context(RunningServer(DnsServer(zones, (KEY,))))
        self.dns = NameServer(running.address, running.port)
        self.host = ScriptHost(tmp_path / "beta")
        (self.host.path / "data").mkdir()
        self.port = stack.enter_context(web(self.host))
        self.marker = self.host.path / "marker"
        self.steps = self._steps(write_key(tmp_path / "key"))
        self.host.deliver("post_failover", render("post_failover", "files", self.steps).text)

    def _steps(self, key):
        names = {"name": "alpha.lab.example", "servers": [str(self.dns)]}
        moving = {**names, "addresses": [["127.0.0.21", "127.0.0.1"]], "key_file": str(key), "timeout_s": 2}
        url = f"http://alpha.lab.example:{self.port}/health"
        mark = ["bash", "-c", 'echo x >>"$1"; "$HOST/bin/inside" own-step', "mark", str(self.marker)]
        return [
            step("data", "fileserver/data_present", path=str(self.host.path / "data")),
            step("start-files", "common/start_service", service={"name": "files"}),
            step("names-to-target", "common/move_names", **moving),
            step(
                "clients-served",
                "common/ask_as_client",
                name="alpha.lab.example",
                dns={"servers": [str(self.dns)]},
                url=url,
                command=[],
                expect="well",
                within_s=3,
            ),
            step(
                "own-step",
                "common/run_command",
                command=mark,
                look_command=["test", "-e", str(self.marker)],
                undo_command=["rm", "-f", str(self.marker)],
            ),
            step("stay-here", "common/stay_here", **moving),
        ]

    def address(self):
        return zone(self.dns)["alpha.lab.example.", "A"]

    def is_failed_over(self):
        return (self.host.service(), self.address(), self.marker.exists()) == ("running", (60, ("127.0.0.1",)), True)

    def is_untouched(self):
        return (self.host.service(), self.address(), self.marker.exists()) == ("stopped", (60, ("127.0.0.21",)), False)


class web:  # noqa: N801  used as a context manager
    """The application: it answers only while the host's service runs."""

    def __init__(self, host) -> None:
        class Application(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                running = host.service() == "running"
                self.send_response(200 if running else 503)
                self.end_headers()
                self.wfile.write(b"all is well" if running else b"not yet")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Application)

    def __enter__(self) -> int:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self.server.server_port

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def world(tmp_path):
    with ExitStack() as stack:
        yield World(stack, tmp_path)


def last_events(world):
    return dict(world.host.events())


POINTS = [f"{moment} {one}" for one in STEPS[1:] for moment in ("about-to", "inside", "done")]


@pytest.mark.covers("ENG-FO-05", "AM-30")
def test_the_script_does_its_steps_in_order(world):
    done = world.host.run("post_failover")
    assert done.returncode == 0, done.stderr + done.stdout
    assert world.is_failed_over()
    assert world.host.events() == [
        ("data", "already"),
        *[(one, event) for one in STEPS[1:] for event in ("about-to", "done")],
        ("stay-here", "already"),
    ]
    about = [line for line in world.host.lines() if line["event"] == "about-to"]
    assert [line["undo"] for line in about][:2] == ["stop it", "put every record back as it was"]
    assert "answers 200 from 127.0.0.1" in world.host.lines()[-4]["says"]


@pytest.mark.covers("ENG-FO-05")
@pytest.mark.parametrize("point", POINTS)
def test_killed_and_resumed(world, point):
    killed = world.host.run("post_failover", kill=point)
    assert killed.returncode == -9
    done = world.host.run("post_failover")
    assert done.returncode == 0, done.stderr + done.stdout
    assert world.is_failed_over()
    assert {one: event for one, event in last_events(world).items() if one not in {"data", "stay-here"}} == ALL_DONE
    assert world.host.deeds().count("start files") == 1
    assert world.marker.read_text() == "x\n"
    undone = world.host.run("post_failover", undo=True)
    assert undone.returncode == 0, undone.stderr + undone.stdout
    assert world.is_untouched()


@pytest.mark.covers("ENG-FO-05")
@pytest.mark.parametrize("point", POINTS)
def test_killed_and_undone(world, point):
    killed = world.host.run("post_failover", kill=point)
    assert killed.returncode == -9
    undone = world.host.run("post_failover", undo=True)
    assert undone.returncode == 0, undone.stderr + undone.stdout
    assert world.is_untouched()
    again = world.host.run("post_failover", undo=True)
    assert again.returncode == 0
    assert world.is_untouched()


@pytest.mark.parametrize("point", ["undone own-step", "undone names-to-target", "undone start-files"])
def test_killed_while_undoing(world, point):
    assert world.host.run("post_failover").returncode == 0
    assert world.host.run("post_failover", kill=point, undo=True).returncode == -9
    assert world.host.run("post_failover", undo=True).returncode == 0
    assert world.is_untouched()


@pytest.mark.covers("AM-30")
def test_not_done_while_clients_are_not_served(world):
    """The service starts, the name leads here, and the application does not answer as it should: the script fails."""
    world.host.program("dtengine", "#!/bin/bash\n[[ $2 == list ]] && exit 0\nexit 0\n")
    done = world.host.run("post_failover")
    assert done.returncode == 1
    assert last_events(world)["clients-served"] == "failed"
    assert "not served after 3 s" in world.host.lines()[-1]["says"]
    assert not world.marker.exists()


@pytest.mark.covers("AM-30")
def test_the_name_itself_is_asked(world):
    """The application is well at the target, but clients are still led elsewhere: that is not done."""
    assert world.host.run("post_failover", segments=["start-files"]).returncode == 0
    with urllib.request.urlopen(f"http://127.0.0.1:{world.port}/health") as answer:
        assert answer.status == 200
    done = world.host.run("post_failover", segments=["clients-served"])
    assert done.returncode == 1


def test_what_was_so_before_is_not_undone(world):
    world.host.program("start-by-hand", "#!/bin/bash\n")
    (world.host.path / "service.files").write_text("running")
    assert world.host.run("post_failover").returncode == 0
    assert ("start-files", "already") in world.host.events()
    assert world.host.run("post_failover", undo=True).returncode == 0
    assert world.host.service() == "running"


def test_segments_run_alone_and_in_the_scripts_order(world):
    done = world.host.run("post_failover", segments=["names-to-target", "start-files"])
    assert done.returncode == 0, done.stderr
    assert [one for one, event in world.host.events() if event == "done"] == ["start-files", "names-to-target"]
    unknown = world.host.run("post_failover", segments=["nothing"])
    assert unknown.returncode == 2
    assert "no step nothing" in unknown.stderr


def test_a_dry_run_changes_nothing(world):
    done = world.host.run("post_failover", dry_run=True)
    assert done.returncode == 0, done.stderr
    assert "would do start-files" in done.stdout
    assert "+ alpha.lab.example. 60 A 127.0.0.1" in done.stdout
    assert "already so data" in done.stdout
    assert world.is_untouched()
    assert world.host.lines() == []


@pytest.mark.parametrize("stdin", [{"protection": "other"}, {"run_id": "../x"}, {"run_id": ""}])
def test_a_request_that_is_not_for_this_script_is_refused(world, stdin):
    done = world.host.run("post_failover", **stdin)
    assert done.returncode == 2
    assert world.is_untouched()


def test_a_torn_last_line_is_not_counted(world):
    assert world.host.run("post_failover", kill="about-to names-to-target").returncode == -9
    run_file = world.host.path / "runs" / "run1.post_failover.run"
    run_file.write_bytes(run_file.read_bytes()[:-20])
    assert world.host.run("post_failover").returncode == 0
    assert world.is_failed_over()
    lines = run_file.read_text().splitlines()
    assert sum(1 for line in lines if not line.endswith("}")) == 1
    whole = [json.loads(line) for line in lines if line.endswith("}")]
    assert ("own-step", "done") in {(line["step"], line["event"]) for line in whole}


def test_own_commands_run_once_a_run(world):
    out = world.host.path / "own"
    text = render("post_failover", "files", world.steps).text
    own = f'  printf "%s %s\\n" "$DTAM_RUN_ID" "$DTAM_EPOCH" >>"{out}"\n'
    world.host.deliver("post_failover", text.replace(f"{OWN_BEGIN}\n", f"{OWN_BEGIN}\n{own}"))
    for _ in range(2):
        assert world.host.run("post_failover").returncode == 0
    assert out.read_text() == "run1 2\n"
    assert world.host.events()[-1] == ("own-step", "done") or ("your-own-commands", "done") in world.host.events()


def test_two_runs_at_once_are_kept_apart(world):
    world.host.program(
        "dtengine",
        "#!/bin/bash\n[[ $2 == list ]] && exit 0\ntouch $HOST/started\nuntil [[ -e $HOST/go ]]; do sleep 0.05; done\n",
    )
    first = threading.Thread(target=world.host.run, args=("post_failover",), kwargs={"segments": ["start-files"]})
    first.start()
    while not (world.host.path / "started").exists():
        pass
    second = world.host.run("post_failover", segments=["start-files"])
    (world.host.path / "go").touch()
    first.join()
    assert second.returncode == 75
    assert "another run" in second.stderr


def fenced(world, says="fenced: alpha serves epoch 3; this engine is the target"):
    """The engine's stand-in is told that the source serves again."""
    real = (world.host.path / "bin" / "dtengine").read_text()
    held = f"if [[ $1 == fence ]]; then echo '{says}'; exit 1; fi\n"
    world.host.program("dtengine", real.replace("#!/bin/bash\n", f"#!/bin/bash\n{held}", 1))
    return says


def by_hand(world, words):
    script = [str(world.host.path / "post_failover"), *words]
    return subprocess.run(["bash", *script], env=world.host.environment(), capture_output=True, text=True, check=False)


@pytest.mark.covers("ENG-FO-05")
def test_by_hand_with_an_old_run_it_takes_nothing_from_a_source_that_serves(world):
    """A failover, a failback, and somebody who repeats the old run: refused, unless he insists, and that is written down."""
    assert world.host.run("post_failover").returncode == 0
    assert world.host.run("post_failover", undo=True).returncode == 0
    says, lines = fenced(world), world.host.lines()
    done = by_hand(world, ["--run", "run1"])
    assert done.returncode == 77
    assert says in done.stderr
    assert "--force" in done.stderr
    assert world.is_untouched()
    assert world.host.lines() == lines
    assert by_hand(world, ["--run", "run1", "--force"]).returncode == 0
    assert world.is_failed_over()
    assert [line["says"] for line in world.host.lines() if line["event"] == "forced"] == [f"by hand although: {says}"]


def test_what_the_engine_says_of_its_fence_counts(world):
    """It is not asked again, and its no is a no."""
    fenced(world)
    assert world.host.run("post_failover", fenced="").returncode == 0
    assert world.host.run("post_failover", undo=True, fenced="alpha serves").returncode == 0
    assert world.is_untouched()
    refused = world.host.run("post_failover", run_id="run2", fenced="alpha serves")
    assert refused.returncode == 77
    assert world.is_untouched()


@pytest.mark.covers("ENG-FO-05")
def test_what_stays_on_the_target_waits_for_no_failback(world):
    """Only asked for by its name: nothing is led back, and no undo is left that a later failover would go on with."""
    assert world.host.run("post_failover").returncode == 0
    names, identity = world.host.path / "state" / "names", world.host.path / "state" / "identity"
    identity.mkdir(parents=True)
    (identity / "files.spns.json").write_text("{}")
    (identity / "others.spns.json").write_text("{}")
    assert (names / "alpha.lab.example.undo.json").exists()
    for _ in range(2):
        stayed = world.host.run("post_failover", run_id="leave", segments=["stay-here"])
        assert stayed.returncode == 0, stayed.stderr + stayed.stdout
    assert world.is_failed_over()
    assert not list(names.glob("*.undo.json"))
    assert sorted(one.name for one in identity.iterdir()) == ["files.spns.json.left", "others.spns.json"]
