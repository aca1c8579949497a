"""Where FUSE cannot be had: a watcher under load says where to look again, and the mirror makes the target equal."""

from __future__ import annotations

import os
import random
import threading
import time

import pytest

from orchestrator.engine.capture.dirty import DirtySet
from orchestrator.engine.capture.watcher import Watcher
from orchestrator.engine.mirror.messages import decode_message, decode_reply, encode
from orchestrator.engine.mirror.options import MirrorKind, MirrorOptions, OrphanAction, OrphanPolicy
from orchestrator.engine.mirror.rules import RuleSet
from orchestrator.engine.mirror.source import MirrorSource
from orchestrator.engine.mirror.target import MirrorTarget
from tests.properties.changing_source import Source
from tests.unit.mirror.loopback import exchange, picture

OPTIONS = MirrorOptions(MirrorKind.DIFFERENCE, checksum=True, orphans=OrphanPolicy(OrphanAction.DELETE))


@pytest.mark.covers("ENG-MIR-05")
@pytest.mark.parametrize("seed", range(4))
def test_a_watched_tree_under_load_ends_equal(tmp_path, seed):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    changing = Source(source, random.Random(seed), 300)
    for _ in range(30):
        changing.change()
    watcher = Watcher(os.fsencode(source), DirtySet(settle_s=0.002, latest_s=0.02))
    begin, end = MirrorSource(source, RuleSet(), OPTIONS), MirrorTarget(target)
    load = threading.Thread(target=keep_changing, args=(changing,))
    load.start()
    until = time.monotonic() + 60
    quiet = 0
    while quiet < 3 and time.monotonic() < until:
        found = watcher.wait(0.05)
        for one in found:
            begin.again(one.path, deep=one.subtree)
        for message in begin.next_messages():
            for reply in end.handle(decode_message(encode(message))):
                begin.on_reply(decode_reply(encode(reply)))
        quiet = quiet + 1 if not (found or load.is_alive() or not begin.finished) else 0
    load.join()
    exchange(begin, end)
    watcher.close()
    mine, theirs = (picture(root, directory_times=False, hard_links=False) for root in (source, target))
    assert theirs == mine  # a watcher cannot tell which names belong to one file
    assert os.listdir(source)


def keep_changing(changing: Source) -> None:
    while changing.left > 0:
        changing.change()
        time.sleep(0.001)
