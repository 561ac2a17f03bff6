"""Train the run of argv[1] as one rank under torchrun; but one rank, argv[2], tokenizes first, and the others wait for it."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

from ft_core.data import prepare
from ft_core.train.worker import main

directory, first, begun = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
load_entry = prepare.load_entry


def load_in_turn(*arguments: Any) -> Any:
    if os.environ["RANK"] != first:
        while not begun.exists():
            threading.Event().wait(0.02)
    return load_entry(*arguments)


prepare.load_entry = load_in_turn
sys.exit(main(directory))
