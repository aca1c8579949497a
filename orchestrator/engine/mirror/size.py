"""The size of a replication set, calculated when somebody asks: it takes a walk through all of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from orchestrator.engine.mirror import beneath
from orchestrator.engine.mirror.rules import RuleSet
from orchestrator.engine.mirror.walk import Node, Page, Walk


def calculate_size(root: beneath.Root, rules: RuleSet) -> tuple[int, int]:
    """Regular files and their bytes, as of now; changes made meanwhile may or may not be counted."""
    return calculate_size_unless(lambda: False, root, rules) or (0, 0)


def calculate_size_unless(given_up: Callable[[], bool], root: beneath.Root, rules: RuleSet) -> tuple[int, int] | None:
    """The same; None once ``given_up``, which is asked between some names and the next, says so."""
    files = size = 0
    for more in _pages(root, rules):
        if given_up():
            return None
        files, size = files + more[0], size + more[1]
    return files, size


def _pages(root: beneath.Root, rules: RuleSet) -> Iterator[tuple[int, int]]:
    root_fd = beneath.open_root(root)
    walk = Walk(root_fd, rules, Node(b"", None, force=False), lambda _node: None, lambda _path, _why: None)
    try:
        while (page := walk.next_page()) is not None:
            yield _measure(root_fd, page)
    finally:
        walk.close()
        os.close(root_fd)


def _measure(root_fd: int, page: Page) -> tuple[int, int]:
    files = size = 0
    try:
        with beneath.directory(root_fd, page.node.path) as fd:
            for name, is_file in page.others:
                if is_file:
                    size += os.stat(name, dir_fd=fd, follow_symlinks=False).st_size
                    files += 1
    except OSError as error:
        if error.errno not in beneath.NOT_THERE:
            raise
    return files, size
