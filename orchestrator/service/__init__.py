"""`dtam serve`: executor and monitor where the target has no engine. One process, several protections."""
