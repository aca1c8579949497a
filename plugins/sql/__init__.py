"""SQL Server, under the word ``sql``: instances or chosen databases, on Windows and on Linux."""
