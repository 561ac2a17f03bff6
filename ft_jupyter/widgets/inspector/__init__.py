"""The inspector in a notebook: a thin widget over :mod:`ft_core.inspection`, and the still picture behind it."""

from ft_jupyter.widgets.inspector.view import InspectorView, close_all, open_inspector

__all__ = ["InspectorView", "close_all", "open_inspector"]
