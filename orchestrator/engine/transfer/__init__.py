"""Carries the ordered log of a source to a target: sessions, frames, TLS with pinned keys, the two ends as threads.

Words: a *connection* lasts from connect to disconnect and survives every cut of the network; a *session* is one TLS connection of
it; *acknowledged* operations are in the target's log and on its disk, *applied* ones are in its files. Invariant: operations reach
the target's log in order, each once, and whatever travels beside them (mirror items) keeps its place among them.
The wire is told in docs/explanation/wire-protocol.md.
"""
