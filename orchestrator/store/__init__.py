"""What dtam remembers: protections, runs, audit and inventories in SQLite; the journal of each run as a file beside it.

Invariant: interrupted anywhere it stays readable. The database runs with a write-ahead log and synchronous=FULL; a journal's
torn last line is cut off, never believed. Everything is created with mode 0600 in directories of mode 0700. No secret
is stored in them: tokens and keys are named by the file they lie in. Passwords of accounts lie sealed in the credential cache.
"""
