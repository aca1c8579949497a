"""Operations and the ordered log they live in: the one interface between capture and everything else.

Words: an *operation* is one change of a file system, a *record* its bytes, a *segment* a file of records, a *log* a directory of
segments under one log id, whose sequences start at 1 and have no gaps. Invariant: what a reader hands out is checked, complete
and in order. The format is told in docs/explanation/oplog-format.md.
"""
