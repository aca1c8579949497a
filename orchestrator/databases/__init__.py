"""SQL Server, reached over TDS through ODBC: facts, and deeds that look before they act and know how they are undone.

Words: an **access** (``orchestrator.model.sqlaccess``) is the way to one instance; a **session** is a connection to it that gives rows as
mappings; a **deed** is one change with its look and its undo; log-ins that are **kept** were gathered from the source with the hashes of
their passwords and lie sealed where a failover needs them. Statements run where the session is: on the target by its own script, on the
executor's machine where the target has no engine. Invariants: no secret is in a message, a log or a command line; names of people's things
are quoted by ``quoting``, values are parameters.
"""
