"""Make a replica equal to its source and keep proof of it: replication sets, mirror, verification, restore.

Rooms inside: what is selected (``rules``, ``replication_set``, ``mapping``), the two ends of a mirror (``source``, ``target``) that
speak through ``messages``, and what is built of them (``verify``, ``set_aside``). docs/explanation/mirror.md argues why
both sides end identical while the source is being written.
"""
