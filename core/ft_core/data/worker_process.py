"""A process that tokenizes: takes batches of rows, gives back what training takes of them.

It ends when its parent closes the connection, or is gone. Interrupts of the terminal are its parent's to obey.
"""

from __future__ import annotations

import gc
import os
import pickle
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from ft_core.data.sieve import batch_sieve
from ft_core.errors import FtError


def main(descriptor: int, job: str) -> None:
    """Serve the connection at a file descriptor until it is closed.

    It first says None: ready. Each message then is a batch, and each answer what `ft_core.data.sieve.batch_sieve` makes of
    it, or the exception that it raised.

    Parameters
    ----------
    descriptor
        The connection.
    job
        A file that holds the arguments of `batch_sieve`; written by our own parent, for nobody else to write or read.
    """
    # As many of these processes run as there are cores.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    sieve = batch_sieve(*pickle.loads(Path(job).read_bytes()))  # noqa: S301
    # What was imported stays; to look through it again and again would take a tenth of the time.
    gc.freeze()
    with Connection(descriptor) as connection:
        try:
            connection.send(None)
            while True:
                batch = connection.recv()
                try:
                    answer = sieve(batch)
                except FtError as error:
                    answer = error
                except Exception:  # noqa: BLE001 - a fault of ours, which the parent raises as it is
                    answer = RuntimeError(traceback.format_exc())
                connection.send(answer)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
