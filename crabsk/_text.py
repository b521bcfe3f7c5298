"""How things are shown in messages.

Stands below all subpackages: it imports nothing of crabsk.
"""

from collections.abc import Iterable, Sequence

ERRORS_SHOWN = 5
"""Rows, columns or names that a message shows of many."""


def shown(item: object) -> str:
    """Return the repr of an item for a message, cut in its middle where it is long."""
    try:
        text = repr(item[:200] + item[-200:] if isinstance(item, str) and len(item) > 400 else item)
    except ValueError:  # Python writes out no int of more than 4300 digits
        text = f"<{type(item).__name__}>"
    text = text.replace("\n", " ")  # of tables and arrays, which fill several lines
    return text if len(text) <= 100 else f"{text[:70]}...{text[-25:]}"


def few(names: Iterable) -> str:
    """Return the first few names for a message, and how many there are."""
    return first_of([shown(name) for name in names])


def first_of(texts: Sequence[str]) -> str:
    """Return the first few texts for a message, as they are, and how many there are."""
    text = ", ".join(texts[:ERRORS_SHOWN])
    return text + (f", ... ({len(texts)} in all)" if len(texts) > ERRORS_SHOWN else "")
