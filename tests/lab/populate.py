"""Fill a domain that has just been provisioned and is not running: users, groups, and passwords that never run out.

/usr/bin/python3 populate.py PASSWORD_FILE      (the machine's Python: it has Samba's modules)
"""

from __future__ import annotations

import sys
from pathlib import Path

from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

USERS = {"writer": (), "reader": (), "operator": ("dtadmin",), "watcher": ("dtmon",)}


def main(password: str) -> None:
    """Write straight into the directory's database."""
    settings = LoadParm()
    settings.load_default()
    directory = SamDB(session_info=system_session(), lp=settings)
    directory.set_maxPwdAge("0")
    directory.set_minPwdAge("0")
    for group in ("dtadmin", "dtmon"):
        directory.newgroup(group)
    for user, groups in USERS.items():
        directory.newuser(user, password)
        for group in groups:
            directory.add_remove_group_members(group, [user])


if __name__ == "__main__":
    main(Path(sys.argv[1]).read_text(encoding="utf-8"))
