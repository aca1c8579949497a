"""The engine's command lines, one file a command."""
