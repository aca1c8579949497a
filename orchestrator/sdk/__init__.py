"""All that a plugin imports, besides the nouns of ``orchestrator.model``: the Application protocol, checks, steps, conformance."""
