"""The capturing file system of one protected directory: a small C program, its supervisor, and the watcher where FUSE cannot be had."""
