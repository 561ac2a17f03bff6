"""Where a function of the user's lies that a config names: ``my_module.my_function``, or ``folder/rows.py:my_function``."""

from __future__ import annotations

import os

from ft_core.config.schema.dataset_type import is_function

SUFFIX = ".py"


def split_function(name: str) -> tuple[str, str]:
    """Return the module or file of a function, and its name in there.

    >>> split_function("my_package.rows.chat"), split_function("folder/rows.py:chat")
    (('my_package.rows', 'chat'), ('folder/rows.py', 'chat'))
    """
    place, _, function = name.rpartition(":" if f"{SUFFIX}:" in name else ".")
    return place, function


def with_whole_path(name: str) -> str:
    """Return a function's name with the whole path of its file, so that it means the same from any folder.

    A module that lies in the working folder is named by its file. Any other name is returned as it is: it belongs to an
    installed module, or is none of a function.
    """
    if not is_function(name):
        return name
    place, function = split_function(name)
    if place.endswith(SUFFIX):
        return f"{os.path.abspath(os.path.expanduser(place))}:{function}"  # noqa: PTH100, PTH111
    path = os.path.join(*place.split("."))  # noqa: PTH118
    for file in (f"{path}{SUFFIX}", os.path.join(path, f"__init__{SUFFIX}")):  # noqa: PTH118
        if os.path.isfile(file):  # noqa: PTH113
            return f"{os.path.abspath(file)}:{function}"  # noqa: PTH100
    return name
