"""YAML to a valid, frozen config in which every value knows where it came from.

::

    config = load_config(text)            ConfigError carries every problem at once, each with line, column and fix
    config.learning_rate                  flat attributes, named like the keys
    config.origin("eval_batch_size")      Origin(kind="derived", line=None, reason="as micro_batch_size")
    config.explain()                      every value with where it came from, as a table
    config.warnings                       what is doubtful
    config.to_yaml(absolute_paths=True)   every value that is set; loads to an equal config
    explain("lora_r")                     what a key means

Imports neither torch nor transformers.
"""

from ft_core.config.config import Config, Origin
from ft_core.config.explain import KeyDoc, explain, explain_all
from ft_core.config.load import load_config
from ft_core.config.overrides import parse_overrides
from ft_core.config.problems import ConfigError, Problem
from ft_core.config.schema.dataset import Dataset
from ft_core.config.schema.tokenizer import SpecialTokens

__all__ = [
    "Config",
    "ConfigError",
    "Dataset",
    "KeyDoc",
    "Origin",
    "Problem",
    "SpecialTokens",
    "explain",
    "explain_all",
    "load_config",
    "parse_overrides",
]
