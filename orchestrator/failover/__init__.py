"""Failing over and coming back: one look at both engines, a named condition, guards in order, at most one deed, one sentence.

Words: a *snapshot* is all that is known at one moment; a *condition* is its name (``condition.py``, pure); a *guard* says why a
command does not fit (``guards.py``, pure); a *sentence* says what was done or why it was not. The failover itself is carried
out by the target's engine; from here it is only asked for, and followed. Failback and restore are plans of steps, journaled
by the executing room. Invariant: nothing here promotes anything or starts a service except through an engine, whose fence and
epoch have the last word.
"""
