"""The file server plugin: a directory and the services that share it out, on Linux, under the word ``fileprint``."""
