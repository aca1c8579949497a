"""The commands of ``dtam``, one file each."""
