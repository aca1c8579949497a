"""Names: a server's DNS records found, moved to another server, and put back exactly as they were.

Words. A *record set* is all records of one type at one name. The *writer* of a zone is the server that accepts its updates
(the SOA's MNAME, or one that was configured); the other listed servers that answer for the zone are its *watchers*: they are
awaited and read. A *move* says which addresses and which name give way to which. The *undo file* holds what was there before.

Invariants. What will be put back is on disk before anything is changed. An update is conditional on the values that were
read. A change counts when it has been read back from every server, never because an answer said so.

Sources: RFC 2136 (dynamic update), RFC 8945 (TSIG), RFC 5936 (zone transfer).
"""
