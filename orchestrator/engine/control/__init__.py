"""The daemon of an engine and its control API: what a host can be asked to do, by whom, and what it remembers of it."""
