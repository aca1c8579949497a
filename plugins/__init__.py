"""Applications that dtam can protect, one folder each; found by the entry point group ``dtam.plugins``."""
