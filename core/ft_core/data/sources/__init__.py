"""Where rows come from: files, folders, remote stores, tables of the notebook, and datasets of the Hugging Face hub."""

from ft_core.data.sources.reading import OpenRows, count_rows, open_rows, read_rows
from ft_core.data.sources.split import split_name

__all__ = ["OpenRows", "count_rows", "open_rows", "read_rows", "split_name"]
