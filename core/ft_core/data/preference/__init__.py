"""Learning from preferences: rows of any type to the text rows that TRL trains on.

::

    row --type--> {prompt, chosen, rejected}      dpo, ipo, simpo, orpo, and reward models
                  {prompt, completion, label}     kto
        --limit_lengths--> the rows that fit in sequence_len
"""

from ft_core.data.preference.lengths import LimitedRows, limit_lengths
from ft_core.data.preference.rows import preference_rows
from ft_core.data.preference.task import Method

__all__ = ["LimitedRows", "Method", "limit_lengths", "preference_rows"]
