"""Run a simulated Windows host; see host.py."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from tests.lab.windows.host import HostSettings, run


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description="A simulated Windows host. Nothing of Windows runs here.")
    parser.add_argument("--state", type=Path, required=True, help="directory of its disk")
    parser.add_argument("--name", required=True, help="computer name")
    parser.add_argument("--accounts", type=Path, required=True, help="JSON file, see wire/accounts.py")
    parser.add_argument("--domain", default="")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument(
        "--own-address", default="", help="the machine's own address, where --address is that of every card"
    )
    parser.add_argument("--http-port", type=int, default=5985)
    parser.add_argument("--https-port", type=int, default=5986)
    parser.add_argument("--keytab", type=Path)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--client-authority", type=Path, help="who issues certificates of callers")
    parser.add_argument(
        "--configuration", default="{}", help="JSON: settings of winrm/config, see wire/configuration.py"
    )
    parser.add_argument("--machine", default="{}", help="JSON: settings of the machine")
    parser.add_argument("--endpoints", default="{}", help="JSON: restricted session configurations and their commands")
    parser.add_argument("--boot-s", type=float, default=0.0, help="how long a restart takes")
    parser.add_argument(
        "--shutdown-s", type=float, default=0.5, help="how long it goes on after a restart was asked for"
    )
    given = vars(parser.parse_args())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("spnego").setLevel(logging.WARNING)
    run(
        HostSettings(
            **{
                **given,
                "configuration": json.loads(given["configuration"]),
                "machine": json.loads(given["machine"]),
                "endpoints": json.loads(given["endpoints"]),
            }
        )
    )


if __name__ == "__main__":
    main()
