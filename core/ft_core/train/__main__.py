"""``python -m ft_core.train RUN_DIR``: one rank of a run."""

from __future__ import annotations

import sys
from pathlib import Path

from ft_core.train.worker import main

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m ft_core.train RUN_DIR")
    sys.exit(main(Path(sys.argv[1])))
