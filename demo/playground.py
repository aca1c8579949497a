"""``make playground``: the demo's stage, left to you: two hosts, a witness and a DNS server on loopback, until Ctrl-C.

``python -m demo.playground cut alpha`` and ``start alpha``, typed in another terminal, take a host's power and give it back.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from demo.hosts import DemoHost
from demo.stage import BIN, CLIENT_NAME, DNS_PORT, SERVICE_PORT, Stage, end_on_signals

_WORDS = """
Two hosts, alpha {alpha} and beta {beta}, run on this machine. In another terminal, in this directory:

  export DTAM_HOME={home} PATH={bin}:$PATH
  dtam hosts add alpha --address {alpha} --token-file {directory}/alpha.token
  dtam hosts add beta --address {beta} --token-file {directory}/beta.token
  dtam --fileprint setup --file {directory}/protection.yaml
  dtam --fileprint status
  curl -T README.md http://{alpha}:{service}/readme && ls {directory}/beta/srv/files/readme

Take alpha's power, and look where clients are sent ({name} at the DNS server {dns}:{port}):

  {python} -m demo.playground cut alpha {directory}
  dtam --fileprint status
  dfo ask --source-name {name} --server {dns}:{port} --url http://{{name}}:{service}/-/health

Give it back, and go home:

  {python} -m demo.playground start alpha {directory}
  dtam --fileprint failback

Ctrl-C here ends everything and leaves nothing behind.
"""


def stay() -> None:
    """Set the stage, say what to type, wait for Ctrl-C or SIGTERM, strike."""
    end_on_signals()
    stage = Stage.build()
    try:
        stage.set_up()
        facts = {"alpha": stage.alpha.address, "beta": stage.beta.address, "home": stage.home, "bin": BIN}
        facts |= {"directory": stage.directory, "service": SERVICE_PORT, "name": CLIENT_NAME}
        facts |= {"dns": stage.third.address, "port": DNS_PORT, "python": os.path.relpath(sys.executable)}
        sys.stdout.write(_WORDS.format(**facts))
        sys.stdout.flush()
        signal.pause()
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    finally:
        stage.strike()


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    deeds = parser.add_subparsers(dest="deed")
    for deed, meaning in (("cut", "take a host's power"), ("start", "start a host's engine, as a boot would")):
        one = deeds.add_parser(deed, help=meaning)
        one.add_argument("host", choices=("alpha", "beta"))
        one.add_argument("directory", type=Path)
    words = parser.parse_args()
    if words.deed is None:
        stay()
        return
    stage = Stage.of(words.directory)
    host: DemoHost = getattr(stage, words.host)
    if words.deed == "cut":
        sys.stdout.write(f"{host.cut_power()} processes of {host.name} are gone\n")
    else:
        stage.start_engine(host)


if __name__ == "__main__":
    main()
