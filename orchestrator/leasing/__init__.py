"""The lease that a Windows source holds from its executor, and the grant of the next epoch (docs/decisions/0009)."""
