"""The target's side of replication: operations are taken from the queue and done to the files, in order, each once.

Words: a *replica* is everything the target keeps of one connection; its *queue* is the log on its disk and what of it is in memory;
the *position* is the last operation that was applied. Invariants: nothing is applied that is not in the queue's log on disk; nothing
outside the target root is touched; a killed daemon goes on exactly where it was.
"""
