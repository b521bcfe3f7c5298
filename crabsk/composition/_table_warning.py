"""The warning about tables that may not mean what they are taken for."""

import sys
import warnings

# What may stand between the user's line and crabsk's.
_LIBRARIES = ("crabsk", "sklearn", "joblib")


class TableWarning(UserWarning):
    """A table may not hold what crabsk reads from it.

    Issued if numbers are read as amounts of elements, if a table has other columns beside the
    amounts, if percentages do not add up, or if a column beside the formulas leaks the target.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from crabsk.composition import TableWarning, reduced_formula
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", TableWarning)
    ...     reduced_formula(np.array([[0.25, 1.5]]))
    array(['HHe6'], dtype=object)
    """


_SAID: set[tuple[str, str, int]] = set()


def warn_of_table(message: str, category: type[Warning] = TableWarning) -> None:
    """Warn at the line of the user, who may have called crabsk through scikit-learn.

    Python shows a warning once a line by default, but forgets what it has shown when filters
    change, as they do in each fit of a search. So this is remembered here.
    """
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(_LIBRARIES):
        level, frame = level + 1, frame.f_back
    said = (message, frame.f_code.co_filename, frame.f_lineno)
    if said in _SAID and _action(message, category) == "default":
        return
    _SAID.add(said)
    warnings.warn(message, category, stacklevel=level + 1)


def _action(message: str, category: type[Warning]) -> str:
    """Return what the filters of warnings do about a message."""
    for action, text, filtered, module, line in warnings.filters:
        applies = text is None or text.match(message)
        if applies and issubclass(category, filtered) and module is None and not line:
            return action
    return "default"
