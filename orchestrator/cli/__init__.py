"""The command line: one file a command in ``commands``, one guard around them all.

A command parses words, calls the pipeline or the failover room, and prints what came back: a sentence and a table for people,
one JSON document for programs (``--json``). It decides nothing. Invariant: whatever goes wrong reaches a person as one line
``dtam: what, where, why`` and a line ``hint: what to run next``, never as a traceback; the exit code is that of the error class.
"""
