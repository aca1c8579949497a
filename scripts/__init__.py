"""Templates of the scripts that dtam delivers to hosts: ``templates/common``, and one folder an application.

One deed a template. Its front matter says what it does, which variables it needs, and its undo (or why there is none); its
macros ``look``, ``do``, ``undo`` and ``dry`` are bodies of bash functions. Everything a macro prints is one shell word, quoted.
``orchestrator/scripting.py`` renders them; docs/explanation/scripts.md explains them.
"""
