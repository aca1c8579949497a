"""Plans of a pair of servers, whatever runs on them: the order of protect, failover, restore and failback, and what every plugin needs for it.

``engines`` and ``engines_back`` are for pairs with dtam's engines, ``volumes`` and ``volumes_back`` for those whose volumes something else
keeps in step. What an application adds, and where, is its ``PairDeeds``.
"""
