"""What protection does to the clients' records and to scripts on their hosts, on real engines with a real DNS exchange.

The TTL of the records: lowered at enable, kept through a failback, put back at disable. Scripts edited on their host: not run
until a person accepts them, never lost by a new rendering.
"""

from __future__ import annotations

import json
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest
import yaml

from demo.stage import CLIENT_NAME, DNS_PORT, PLANTED_TTL_S
from orchestrator.engine.client import EngineClient
from tests.e2e.test_cli_asked import ID, Desk, desk

__all__ = ["desk"]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
TTL_S = 7


def record(desk: Desk) -> tuple[str, int]:
    """Address and TTL of the clients' name, asked at the DNS server itself."""
    question = dns.message.make_query(f"{CLIENT_NAME}.", dns.rdatatype.A)
    answer = dns.query.udp(question, desk.stage.third.address, port=DNS_PORT, timeout=5).answer[0]
    return answer[0].address, answer.ttl


def changed_file(desk: Desk, **dns_settings: object) -> str:
    given = yaml.safe_load(desk.stage.protection_file.read_text())
    given["failover"]["dns"] |= dns_settings
    desk.stage.protection_file.write_text(yaml.safe_dump(given))
    return str(desk.stage.protection_file)


def script_on_host(desk: Desk, name: str) -> Path:
    return desk.stage.beta.directory / "engine" / "protections" / ID / "scripts" / name


@pytest.mark.covers("DNS-03")
def test_the_ttl_is_lowered_while_protected_and_put_back_exactly(desk: Desk) -> None:
    alpha, beta = desk.stage.alpha.address, desk.stage.beta.address
    desk.add_hosts()
    assert record(desk) == (alpha, PLANTED_TTL_S)
    desk.run("--fileprint", "setup", "--file", changed_file(desk, ttl_s=TTL_S, ttl_limit_s=10_000), "--yes")
    assert record(desk) == (alpha, TTL_S)
    desk.run("enable")
    desk.run("failover", "--graceful", "--yes")
    assert record(desk) == (beta, TTL_S)
    desk.run("failback", "--yes")
    assert record(desk) == (alpha, TTL_S)
    assert "ttl-of-names-back" in desk.run("disable", "--plan")
    desk.run("disable", "--yes")
    assert record(desk) == (alpha, PLANTED_TTL_S)


@pytest.mark.covers("DNS-03")
def test_a_ttl_that_a_fix_lowered_is_put_back_too(desk: Desk) -> None:
    alpha = desk.stage.alpha.address
    desk.add_hosts()
    desk.run("--fileprint", "setup", "--file", changed_file(desk, ttl_s=TTL_S), "--yes")
    assert record(desk) == (alpha, TTL_S)
    desk.run("disable", "--yes")
    assert record(desk) == (alpha, PLANTED_TTL_S)


@pytest.mark.covers("AM-09")
def test_a_script_edited_on_its_host_is_kept_and_not_run_until_accepted(desk: Desk) -> None:
    desk.add_hosts()
    desk.run("--fileprint", "setup", "--file", str(desk.stage.protection_file), "--yes")
    script = script_on_host(desk, "post_failover")
    own = script.read_text().replace("# <<< your own", "touch /dev/null # mine\n# <<< your own")
    script.write_text(own)
    told = json.loads(desk.run("validate", "--json", code=1))
    found = next(one for one in told["findings"] if one["check"] == "script-changed-on-host")
    assert (found["severity"], "beta" in found["what"]) == ("error", True)
    assert "scripts accept post_failover" in desk.run("failover", "--graceful", "--yes", code=12)
    with EngineClient.local(str(desk.stage.beta.directory / "engine" / "control.sock")) as engine:
        lying = engine.script(ID, "post_failover")
        assert (lying.changed, lying.text) == (True, own)
    desk.run("scripts", "accept", "post_failover")
    assert "script-changed" not in desk.run("validate", "--json").replace(
        '"script-changed-on-host",\n      "severity": "passed"', ""
    )
    script.write_text(own.replace("set -u", "set -u # tuned"))
    assert "was changed outside the place" in desk.run("enable", "--plan")
    assert "# tuned" in script.read_text()
    assert "kept as post_failover.edited" in desk.run("enable")
    kept = desk.stage.home / "scripts" / ID / "post_failover.edited"
    assert "# tuned" in kept.read_text()
    delivered = script.read_text()
    assert "# tuned" not in delivered
    assert "touch /dev/null # mine" in delivered


@pytest.mark.covers("AM-09")
def test_the_script_after_a_restore_is_run_by_hand_and_by_nothing_else(desk: Desk, tmp_path: Path) -> None:
    desk.add_hosts()
    desk.run("--fileprint", "setup", "--file", str(desk.stage.protection_file), "--yes")
    listed = desk.run("scripts", "list")
    assert "post_restore is run by no plan" in listed
    lying = desk.stage.alpha.directory / "engine" / "protections" / ID / "scripts" / "post_restore"
    assert "start service" in lying.read_text()

    mark = tmp_path / "mark"
    own = tmp_path / "own"
    own.write_text(f"echo once >>{mark}\n")
    desk.run("scripts", "edit", "post_restore", "--own", str(own))
    assert f"echo once >>{mark}" in lying.read_text()

    dry = desk.run("scripts", "run", "post_restore", "--dry-run")
    assert "start service" in dry
    assert not mark.exists()
    assert "lead the clients'" in desk.run("scripts", "run", "post_failover", "--dry-run")
    assert "is run by a plan" in desk.run("scripts", "run", "post_failover", "--yes", code=27)

    desk.run("scripts", "run", "post_restore", "--run-id", "hand1", "--yes")
    desk.run("scripts", "run", "post_restore", "--run-id", "hand1", "--yes")
    assert mark.read_text() == "once\n"
    assert "post_restore" not in desk.run("failover", "--graceful", "--plan")
    desk.run("scripts", "deliver")
    assert f"echo once >>{mark}" in lying.read_text()

    assert "your own commands" in desk.run("scripts", "show", "pre_failover")
    pre_failover = desk.stage.beta.directory / "engine" / "protections" / ID / "scripts" / "pre_failover"
    desk.run("scripts", "edit", "pre_failover", "--own", str(own))
    assert f"echo once >>{mark}" in pre_failover.read_text()
