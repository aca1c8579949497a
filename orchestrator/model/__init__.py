"""The nouns of the control plane: frozen values without I/O, and the ports through which stages reach the world.

Words: a **server** runs an engine; a **pair** is a source and a target; a **protection** is the settings that keep one
application of the source ready on the target; an **inventory** is what was found, each fact with the query it came from; a
**finding** is what a check says; a **step** is one change that knows how to see, do and undo itself; a **plan** is steps in
order; a **run** is a plan being executed. Invariant: nothing here opens a file, a socket or a clock.
"""
