"""Names of constructor parameters that are unknown, and what may be meant."""

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from typing import Any, ParamSpec

P = ParamSpec("P")


def explain_unknown_names(init: Callable[P, None]) -> Callable[P, None]:
    """Let an `__init__` say of an unknown parameter which one takes its place.

    The class names those that it once had in `_replaced`.
    """
    known = set(inspect.signature(init).parameters)

    @wraps(init)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        for name in kwargs.keys() - known:
            raise TypeError(unknown_name(type(args[0]), name))
        init(*args, **kwargs)

    return checked


def unknown_name(cls: Any, name: str) -> str:
    """Return the message about a parameter that a class does not have."""
    message = f"{cls.__name__} has no parameter {name!r}"
    if name in cls._all_replaced():
        return f"{message}: take {cls._all_replaced()[name]}"
    likely = get_close_matches(name, cls._get_param_names(), n=1)
    return f"{message}: did you mean {likely[0]!r}?" if likely else message
