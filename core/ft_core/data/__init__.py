"""The one data path: rows to ids and labels, with the reason for each label."""

from ft_core.data.prepare import Samples, load_samples
from ft_core.data.prompt import render_prompt
from ft_core.data.sample import IGNORE, Sample, Span
from ft_core.data.sieve import drop_reason
from ft_core.data.sources import count_rows, read_rows
from ft_core.data.template import ChatTemplate, resolve_template
from ft_core.data.tokenize import tokenize_rows

__all__ = [
    "IGNORE",
    "ChatTemplate",
    "Sample",
    "Samples",
    "Span",
    "count_rows",
    "drop_reason",
    "load_samples",
    "read_rows",
    "render_prompt",
    "resolve_template",
    "tokenize_rows",
]
