"""Signatures at the end of script files, as far as the simulation has them: a block that names its signer and the digest of all that stands before it.

It is no Authenticode: nobody's key is asked. What is kept is what a signature does to a file: it stands at its end, in lines of comment; whoever changes a byte
before it breaks it; and it counts where its signer is among the machine's trusted publishers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.lab.windows.machine.machine import Machine

BEGIN = b"\r\n# SIG # Begin signature block\r\n"
BLOCK = re.compile(re.escape(BEGIN) + rb"# SIG # (?P<held>[A-Za-z0-9+/=]+)\r\n# SIG # End signature block\r\n\Z")
PUBLISHERS = r"SOFTWARE\Microsoft\SystemCertificates\TrustedPublisher\Certificates"


def signed(data: bytes, signer: str) -> bytes:
    """A script file with a signature of ``signer`` (a certificate's thumbprint)."""
    held = json.dumps({"signer": signer, "sha256": hashlib.sha256(data).hexdigest()}).encode()
    return data + BEGIN + b"# SIG # " + base64.b64encode(held) + b"\r\n# SIG # End signature block\r\n"


def complaint(machine: Machine, path: str) -> str:
    """What keeps a signed file from being loaded where all scripts must be signed; nothing for a good signature of somebody trusted."""
    data = machine.files.open_path(path).read_bytes()
    found = BLOCK.search(data)
    if found is None:
        return "The file is not digitally signed in a form that can be read."
    held = json.loads(base64.b64decode(found["held"]))
    if held["sha256"] != hashlib.sha256(data[: found.start()]).hexdigest():
        return (
            f"The contents of file {path} might have been changed by an unauthorized user or process, "
            "because the hash of the file does not match the hash stored in the digital signature. The script cannot run on the specified system."
        )
    if not machine.registry.exists(f"{PUBLISHERS}\\{held['signer']}"):
        return "A certificate chain processed, but terminated in a root certificate which is not trusted by the trust provider."
    return ""
