"""Learning from preferences: rows of any type to the ids that TRL trains on.

::

    row --type--> {prompt, chosen, rejected}      dpo, ipo, simpo, orpo, and reward models
                  {prompt, completion, label}     kto
        --limit_lengths--> the rows that fit in sequence_len
        --tokenize_preferences--> {prompt_ids, chosen_ids, rejected_ids}, ...
"""

from ft_core.data.preference.lengths import LimitedRows, limit_lengths
from ft_core.data.preference.load import Preferences, load_preferences
from ft_core.data.preference.rows import preference_rows
from ft_core.data.preference.task import Method, method_of
from ft_core.data.preference.tokens import tokenize_preferences

__all__ = [
    "LimitedRows",
    "Method",
    "Preferences",
    "limit_lengths",
    "load_preferences",
    "method_of",
    "preference_rows",
    "tokenize_preferences",
]
