"""Training: the plan of a run, and the worker that carries it out (``python -m ft_core.train RUN_DIR``).

Importing this package imports neither torch nor transformers.
"""

from ft_core.train.plan import Plan, make_plan

__all__ = ["Plan", "make_plan"]
