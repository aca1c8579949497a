"""Access control entries for exactly one attribute or deed, in SDDL.

The identifiers are the schemaIDGUIDs of Active Directory's base schema; a test of the lab compares them with a domain's own.
"""

from __future__ import annotations

SERVICE_PRINCIPAL_NAME = "f3a64788-5306-11d1-a9c5-0000f80367c1"
DNS_RECORD = "e0fa1e69-9b45-11d0-afdd-00c04fd930c9"
DNS_TOMBSTONED = "d5eb2eb7-be4e-463b-a214-634a44d7392e"
DNS_NODE = "e0fa1e8c-9b45-11d0-afdd-00c04fd930c9"


def write_attribute(attribute: str, sid: str) -> str:
    """May write one attribute."""
    return f"(OA;;WP;{attribute};;{sid})"


def change_permissions(sid: str) -> str:
    """May read and change the object's own permissions and its owner, who could change them back."""
    return f"(A;;RCWDWO;;;{sid})"


def create_node(sid: str) -> str:
    """May make names in a zone, and nothing else there. Who makes a name owns it."""
    return f"(OA;;CC;{DNS_NODE};;{sid})"
