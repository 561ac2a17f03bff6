"""Items made in a thread while the caller is at work with the one before."""

from __future__ import annotations

import threading
from collections.abc import Generator
from queue import Empty, Full, Queue
from typing import TypeVar

_Item = TypeVar("_Item")

_LOOK_SECONDS = 0.1


def made_ahead(items: Generator[_Item]) -> Generator[_Item]:
    """Yield `items`, each of them made while the caller has the one before.

    One is made ahead, and no more are held. Closed, or left by an error, the thread ends when the item that it is at is
    made, and closes `items`; nobody waits for it.

    Raises
    ------
    BaseException
        What making an item raises, in its turn.
    """
    made: Queue[tuple[_Item | None, BaseException | None]] = Queue(maxsize=1)
    left = threading.Event()

    def put(item: _Item | None, error: BaseException | None = None) -> bool:
        while not left.is_set():
            try:
                made.put((item, error), timeout=_LOOK_SECONDS)
            except Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            put(None, error)
        else:
            put(None, StopIteration())
        finally:
            items.close()

    thread = threading.Thread(target=make, name="ft-ahead", daemon=True)
    thread.start()
    try:
        while True:
            try:
                item, error = made.get(timeout=1.0)
            except Empty:
                continue
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            assert item is not None
            yield item
    finally:
        left.set()
