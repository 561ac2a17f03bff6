"""Talking to a model: the tuned one and its base, in a process of their own.

::

    with Chat(run) as chat:                          # or a run directory, a model folder, a hub id
        chat.choices                                 ("tuned", "base")
        chat.ask("Define 'money'.")                  the whole answer
        for text in chat.stream(messages, which="base", temperature=0.7, seed=1):
            print(text, end="")                      as it is generated

Imports neither torch nor transformers: those live in the worker (`ft_core.infer.worker`).
"""

from ft_core.infer.chat import Chat
from ft_core.infer.stream import Answer, Stream

__all__ = ["Answer", "Chat", "Stream"]
