"""The wire of the simulated SQL Server: TDS 7.4 as [MS-TDS] has it, with one thread a connection. Nothing of SQL Server runs here."""
