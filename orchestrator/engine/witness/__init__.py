"""The smallest arbiter: one compare-and-set per (protection, epoch), and a lease.

Words: the *epoch* of a protection counts who was master; the *holder* is the engine that owns the current epoch; its *lease*
is the time during which nobody else may be granted the next one. The invariant: an epoch is granted once, to one engine.
"""
