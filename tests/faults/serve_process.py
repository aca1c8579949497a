"""A real `dtam serve` process over the hosts of a file: ``python -m tests.faults.serve_process HOME WORLD``."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from orchestrator.cli.guard import open_log, prepare_home
from orchestrator.service.errors import ServedAlready
from orchestrator.service.serving import serve
from tests.faults.leased_hosts import LeasedPipeline, World


def main() -> None:
    home, world = prepare_home(Path(sys.argv[1])), World(Path(sys.argv[2]))
    open_log(home)
    printed = logging.StreamHandler(sys.stdout)
    logging.getLogger("dtam").addHandler(printed)
    try:
        asyncio.run(serve(home, lambda: LeasedPipeline(home, "dtam serve", world)))
    except ServedAlready as error:
        sys.exit(f"refused: {error}")


if __name__ == "__main__":
    main()
