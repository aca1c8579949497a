"""The engine of the simulated SQL Server: an instance on a directory, its databases real SQLite files with their logs.

A simulation, written from published documentation: nothing here is SQL Server. ``port`` says what the wire may ask.
"""
