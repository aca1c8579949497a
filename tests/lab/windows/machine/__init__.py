"""A simulated Windows server: what it is and has, kept on disk; written from published documentation, no Windows in it."""
