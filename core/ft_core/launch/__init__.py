"""Starting a run: ``launch(config) -> Run``.

Importing this package imports neither torch nor transformers.
"""

from ft_core.launch.process import launch

__all__ = ["launch"]
