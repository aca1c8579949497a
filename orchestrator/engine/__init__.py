"""The data plane: capture, ordered log, transfer, apply, mirror, monitor, witness. Runs and is tested alone."""
