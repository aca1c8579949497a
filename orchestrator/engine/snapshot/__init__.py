"""Snapshots of a replica: btrfs subvolumes, reflink copies, plain copies; taken, listed, set back to, deleted.

Words: a *shelf* holds the snapshots of one replica's root; a *way* is how the file system lets one be taken; the *store* is the
directory beside the root in which the snapshots' content lies. This room knows no replica: who calls holds the applier meanwhile.
"""
