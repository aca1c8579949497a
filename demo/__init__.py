"""The main job, shown on real processes, sockets and files: ``make demo``.

Two engines and a witness on loopback addresses, an authoritative DNS server, a small HTTP file service on each side and a
client that knows only a name. Nothing here is part of the product; it uses the product as an administrator would.
"""
