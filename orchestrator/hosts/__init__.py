"""Ways to reach a host, all of the shape of ``orchestrator.model.ports.Host``, and what a client or the witness looks like from here.

``agent.py`` reaches a host over its engine's control API; ``local.py`` is the engine of dtam's own machine over its UNIX socket.
Skins of the same shape wrap any of them: ``dry_run.py`` swallows every change and notes it, ``retry.py`` tries again what a
moment's silence spoiled, ``logged.py`` writes down each deed. Invariant: a skin changes when or whether a deed happens, never
what it is.
"""
