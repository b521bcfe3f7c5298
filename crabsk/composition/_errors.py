"""What is raised for a text that is not a formula."""

from numbers import Real
from typing import NoReturn

from .._text import ERRORS_SHOWN, shown


class FormulaError(ValueError):
    """A text or mapping that is not a chemical composition.

    A subclass of `ValueError`, raised by everything in crabsk that reads formulas.

    Attributes
    ----------
    rows : tuple of int
        Positions of all formulas that cannot be read, including those that the message leaves
        out. Empty if a single formula was read.
    kind : str
        The kind of problem, as a keyword for programs: one of those that `check_formulas` lists.
        For several formulas, the kind of the first problem.
    suggestion : str or None
        A formula that may have been meant, or None. It is not checked.

    Examples
    --------
    >>> from crabsk.composition import FormulaError, parse_formulas
    >>> try:
    ...     parse_formulas(["NaCl", "Xx2O3"])
    ... except FormulaError as error:
    ...     print(error)
    1 of 2 formulas cannot be read:
      row 1: 'Xx2O3', position 0: unknown element 'Xx'
    >>> try:
    ...     parse_formulas(["TIO2", "NaCl", "?"])
    ... except FormulaError as error:
    ...     print(error.rows, error.kind, error.suggestion)
    (0, 2) hydrogen_isotope TiO2
    """

    rows: tuple[int, ...] = ()
    kind: str = "unreadable"
    suggestion: str | None = None


def refuse(
    original: str, position: int, kind: str, reason: str, suggestion: str | None = None
) -> NoReturn:
    """Raise a FormulaError about one place of a text."""
    raise formula_error(
        f"{shown(original)}, position {position}: {reason}",
        kind,
        None if suggestion == original else suggestion,
    )


def formula_error(message: str, kind: str, suggestion: str | None = None) -> FormulaError:
    """Return a FormulaError with its kind and suggestion set."""
    error = FormulaError(message)
    error.kind = kind
    error.suggestion = suggestion
    return error


class RowErrors:
    """Errors of the rows of an input, reported together: the first few, and the count of all."""

    def __init__(self) -> None:
        self._first: list[tuple[int, FormulaError]] = []
        self._rows: list[int] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: int, error: FormulaError) -> None:
        """Remember the error of a row."""
        self._rows.append(row)
        if len(self._first) < ERRORS_SHOWN:
            self._first.append((row, error))

    def raise_if_any(self, n_rows: int) -> None:
        """Raise a FormulaError for all rows if there was one."""
        if not self._rows:
            return
        lines = [f"{len(self._rows)} of {n_rows} formulas cannot be read:"]
        lines += [f"  row {row}: {error}" for row, error in self._first]
        if len(self._rows) > len(self._first):
            lines.append(f"  ... and {len(self._rows) - len(self._first)} more")
        first = self._first[0][1]
        error = formula_error("\n".join(lines), first.kind, first.suggestion)
        error.rows = tuple(self._rows)
        raise error from first


def is_missing(item: object) -> bool:
    """Whether an item is None, NaN or pandas' NA or NaT."""
    # By name, because comparing NA answers NA and pandas need not be imported for it.
    return (
        item is None
        or type(item).__name__ in ("NAType", "NaTType")
        or (isinstance(item, Real) and item != item)
    )
