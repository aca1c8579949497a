"""The least rights that a protection needs, as commands for people to run: nothing here is executed, nothing is a secret.

``values`` says what is wanted and what is granted, ``grants`` decides which grants that takes, ``samba``, ``windows`` and ``bind`` write them
down for their tools. All pure.
"""
