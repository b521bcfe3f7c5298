"""Names of constructor parameters that are unknown, and what may be meant."""

import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from typing import Any, ParamSpec

P = ParamSpec("P")

# Below this likeness, a suggestion is wrong more often than not.
_LIKENESS = 0.75


def explain_unknown_names(init: Callable[P, None]) -> Callable[P, None]:
    """Let an `__init__` say of unknown parameters which ones take their places.

    The class names those that it once had, or that have another name elsewhere, in `_replaced`.
    """
    known = set(inspect.signature(init).parameters)

    @wraps(init)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        if unknown := [name for name in kwargs if name not in known]:
            raise TypeError(unknown_names(type(args[0]), unknown))
        init(*args, **kwargs)

    return checked


def unknown_names(cls: Any, names: Iterable[str]) -> str:
    """Return the message about parameters that a class does not have."""
    return "; ".join(
        f"{cls.__name__} has no parameter {name!r}{_advice(cls, name)}" for name in names
    )


def _advice(cls: Any, name: str) -> str:
    replaced = cls._all_replaced()
    if name in replaced:
        return f": take {replaced[name]}"
    likely = get_close_matches(name, cls._get_param_names(), n=1, cutoff=_LIKENESS)
    return f": did you mean {likely[0]!r}?" if likely else ""
