"""Watching the source, and failing over by the target itself.

Words: a *probe* is one question to one address; a *verdict* is what the answers mean (pure, ``verdict.py``); the *executor*
carries out a failover in journaled phases (``executor.py``); a *decision record* says why it did, or did not. The invariant:
nothing here promotes the target without the witness's grant (docs/explanation/never-two-masters.md).
"""
