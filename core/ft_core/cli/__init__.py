"""The command ``ft``: one small module a verb, each of which calls one function of the engine.

A verb's module has ``HELP``, ``add_arguments(parser)`` and ``execute(arguments) -> exit status``. What is heavy is
imported in ``execute``, so that ``ft --help`` answers at once.
"""
