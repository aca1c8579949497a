"""The cmdlets and native programs over the simulated server."""
