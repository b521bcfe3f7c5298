"""An estimator inside another says nothing of samples: the outer one has looked at all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_IS_NESTED: ContextVar[bool] = ContextVar("inside another estimator", default=False)
_IS_QUIET: ContextVar[bool] = ContextVar("asked for chunks of something", default=False)


@contextmanager
def nested() -> Iterator[None]:
    """Give no warning about elements or targets of samples, in this thread.

    Folds lack elements, and count rows of their own. The outer estimator warns of all samples.
    `warnings.catch_warnings` would not do: it sets filters for all threads, and those that set and
    reset them at the same time leave them on for good.
    """
    token = _IS_NESTED.set(True)
    try:
        yield
    finally:
        _IS_NESTED.reset(token)


def is_nested() -> bool:
    return _IS_NESTED.get()


@contextmanager
def quiet() -> Iterator[None]:
    """Give no warning about samples at all, in this thread: neither as `nested`, nor of traces.

    The rows of a chunk are not those of the whole, and most candidates are forgotten.
    """
    token = _IS_QUIET.set(True)
    try:
        with nested():
            yield
    finally:
        _IS_QUIET.reset(token)


def is_quiet() -> bool:
    return _IS_QUIET.get()
