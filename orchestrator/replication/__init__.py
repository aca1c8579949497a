"""Ways to keep the target's data in step, all of the shape of ``orchestrator.model.ports.Replication``.

``native.py`` is our own engine on both sides. Others come later: Windows Storage Replica, and tools that are only asked whether
they are in step. Each declares its capabilities; validation refuses settings that an adapter lacks.
"""
