"""One template for Windows on the simulated server: shown, done, done again, undone, cut off and gone on with."""

from __future__ import annotations

from tests.lab.scripts import step
from tests.unit.scripting.windows_cases import ODD

BEFORE = {
    "common/start_service": "common/stop_service",
    "common/take_shares_away": "common/put_shares",
    "common/drop_shares": "common/keep_shares",
    "common/give_names_back": "common/take_names",
    "common/give_addresses_back": "common/take_addresses",
    "common/start_dns_registration": "common/stop_dns_registration",
}
"""What has to have been done for a deed to have something to do."""
EACH_TIME_ANEW = ("common/wait", "common/run_command", "common/stay_here")
"""Deeds of which nothing tells that they are done."""
MISSING = f"D:\\{ODD}"


class Round:
    """One template with one combination, from a first look to the last undo."""

    def __init__(self, host, template, variables, run_id) -> None:
        self.host, self.template, self.run_id = host, template, run_id
        self.anew = template in EACH_TIME_ANEW and not variables.get("look_command")
        self.fails = variables.get("path") == MISSING
        host.deliver("post_failover", [step("deed", template, "do the deed", **variables)])
        if template in BEFORE:
            host.deliver(
                "pre_failback", [step("first", BEFORE[template], "what comes before", "pre_failback", **variables)]
            )

    def run(self, run_id="", kill="", **asked):  # noqa: ANN003
        """One run of the script, the step asked for by its name."""
        return self.host.run("post_failover", kill=kill, run_id=run_id or self.run_id, segments=["deed"], **asked)

    def events(self, run_id=""):
        return [event for _, event in self.host.events("post_failover", run_id or self.run_id)]

    def prepare(self):
        if self.template in BEFORE:
            done = self.host.run("pre_failback", run_id=self.run_id, segments=["first"])
            assert done.code == 0, done

    def tidy(self):
        if self.template in BEFORE:
            assert self.host.run("pre_failback", run_id=self.run_id, undo=True).code == 0

    def go(self, *, cut):
        self.prepare()
        before = self.host.state()
        shown = self.run(dry_run=True)
        assert (shown.code, shown.err, self.host.state()) == (0, "", before)
        will = shown.out.startswith("would do deed")
        assert will or shown.out.startswith("already so deed"), shown.out
        self.once(before, will)
        if cut and will and not self.fails:
            self.cut_off(before)
        self.tidy()

    def once(self, before, will):
        """Done, done again, undone."""
        done = self.run()
        if self.fails:
            assert (done.code, self.events()) == (1, ["about-to", "failed"])
            return
        assert done.code == 0, (done, self.host.lines("post_failover", self.run_id))
        self.after = self.host.state()
        first = ["about-to", "done"] if will else ["already"]
        assert self.events() == first
        assert self.run().code == 0
        again = first if self.anew else [] if will else ["already"]
        assert self.events() == first + again
        assert self.host.state() == self.after
        undone = self.run(undo=True)
        assert undone.code == 0, (undone, self.host.lines("post_failover", self.run_id))
        assert self.host.state() == before

    def cut_off(self, before):
        """Killed before the deed, and between the deed and its line: the next run goes on, and its undo takes it back."""
        run_id = f"{self.run_id}-cut"
        assert self.run(run_id, kill="about-to deed").code is None
        assert self.host.state() == before
        assert self.run(run_id).code == 0
        self.host.forget_last("post_failover", run_id)
        assert self.run(run_id).code == 0
        assert self.host.state() == self.after
        assert self.events(run_id)[-1] == "done"
        assert self.run(run_id, undo=True).code == 0
        assert self.host.state() == before
