"""Look through a column of formulas: what cannot be read, and what looks like a slip."""

import re
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from ._elements import ATOMIC_NUMBERS, ELEMENTS
from ._errors import FormulaError, few
from ._formula import FormulaReader
from ._input import formula_columns
from ._parts import Amounts, is_whole

if TYPE_CHECKING:
    import pandas as pd

# Two symbols in capitals that are far more often one: MnSI1.75 is MnSi1.75. KNO3, CaCO3, H3PO4
# and the like are as they should be.
_LOOK_ALIKES = re.compile(r"(?:SI|NB|NI|PB|BI|IN|SN|CU|OS|SC(?!N))(?![a-z])|COO(?![a-z])")

# An amount of three digits or more without a point, which may hold a letter O (YBa2Cu307) or have
# lost its point (O6050).
_LONG_AMOUNT = re.compile(r"([A-Z][a-z]?)([1-9][0-9]{2,})(?![0-9.])")
_ZERO_BEFORE_DIGIT = re.compile("0(?=[1-9])")
_FAR = 10

# Of the 524,000 formulas of Matbench and other sets, eight have so much of one of these elements.
_ANIONS = [ATOMIC_NUMBERS[symbol] for symbol in ("N", "O", "F", "S", "Cl", "Se", "Br", "I")]
_HYDROGEN = 1
_FAR_TOO_MANY = 12

# `TiO2(B)` and `VO2 M` name a phase.
_PHASE_LABEL = re.compile(r"(?<=[0-9a-zA-Z)])(?:\s*\([A-Z][a-z]?\)|\s+[A-Z][a-z]?)\s*$")

Suspicion = tuple[str, str, str | None]
"""Kind, description, suggestion."""


def check_formulas(X: Any, *, formula_column: Hashable = "auto") -> "pd.DataFrame":
    """List for each row whether its formula can be read, and what looks wrong about it.

    Nothing is raised for a bad formula. A *problem* is what `parse_formulas` and the estimators
    refuse. A *suspicion* is a formula that can be read, but looks like a slip: look at it.

    Parameters
    ----------
    X : sequence of formulas, column of formulas or DataFrame
        Rows to check. Other columns of a DataFrame are left aside, whatever they hold.
    formula_column : "auto", str or int, default="auto"
        Which column of a table holds the formulas. "auto" takes the column of text most of which
        can be read.

    Returns
    -------
    pandas.DataFrame of shape (n_samples, 6)
        One row for each row of X, with the index of X if X is of pandas:

        - ``row``: position in X, from 0;
        - ``formula``: the formula as it stands in X;
        - ``problem``: why it cannot be read, or None;
        - ``kind``: the kind of problem or suspicion, for programs, or None;
        - ``suspicion``: what looks wrong about a formula that can be read, or None;
        - ``suggestion``: a formula that can be read and was probably meant, or None.

    Raises
    ------
    ValueError
        If X holds no column of text, or if it has several and none is most likely.

    Notes
    -----
    Kinds of problems: ``acronym``, ``ambiguous_point``, ``amount``, ``bracket``, ``character``,
    ``charge``, ``empty``, ``hydrogen_isotope``, ``isotope``, ``leading_zero``, ``missing``,
    ``mixture``, ``nothing``, ``number_in_front``, ``oxidation_state``, ``spaces``, ``type``,
    ``unknown_amount``, ``unknown_element``, ``unreadable``.

    Kinds of suspicions: ``outlying_amount``, ``upper_case``, ``non_metal_count``, ``phase_label``.

    A suspicion is not a verdict. Of the 524,000 distinct formulas of Matbench, the paper's other
    data sets and four tables of measurements, 349 raise one.

    Examples
    --------
    >>> import pandas as pd
    >>> from crabsk.composition import check_formulas
    >>> X = pd.DataFrame({"formula": ["NaCl", "TIO2", "YBa2Cu307"]})
    >>> report = check_formulas(X)
    >>> report[["kind", "suggestion"]]
                   kind suggestion
    0              None       None
    1  hydrogen_isotope       TiO2
    2   outlying_amount  YBa2Cu3O7
    >>> X.loc[report["problem"].isna().to_numpy()]
         formula
    0       NaCl
    2  YBa2Cu307
    """
    import pandas as pd

    found = formula_columns(X)
    if found is None:
        raise ValueError("X holds no formulas: it has neither text nor mappings")
    columns, names = found
    reader = FormulaReader()
    formulas = columns[_choose(columns, names, formula_column, reader.read)]
    # Tables repeat formulas, at many temperatures for instance.
    known: dict[str, tuple] = {}
    rows = []
    for row, formula in enumerate(formulas):
        if isinstance(formula, str):
            if formula not in known:
                known[formula] = _check(formula, reader.read)
            findings = known[formula]
        else:
            findings = _check(formula, reader.read)
        rows.append((row, formula, *findings))
    labels = ["row", "formula", "problem", "kind", "suspicion", "suggestion"]
    report = pd.DataFrame(rows, columns=labels, dtype=object).astype({"row": int})
    if isinstance(X, pd.DataFrame | pd.Series):
        report.index = X.index
    return report


def _choose(columns: list, names: list, formula_column: Hashable, read: Callable) -> int:
    """Return the position of the column of formulas."""
    if len(columns) == 1:
        return 0
    if formula_column != "auto":
        found = [j for j, name in enumerate(names) if name == formula_column]
        if len(found) != 1:
            raise ValueError(
                f"formula_column={formula_column!r} names {len(found)} columns of X: {few(names)}"
            )
        return found[0]
    shares = {
        j: share for j, c in enumerate(columns) if (share := _share_read(c, read)) is not None
    }
    likely = [j for j, share in shares.items() if share > 0.5]
    if not likely and shares:
        best = max(shares.values())
        likely = [j for j, share in shares.items() if share == best]
    if len(likely) == 1:
        return likely[0]
    raise ValueError(
        "which column holds the formulas? Name one as formula_column=: "
        f"{few([names[j] for j in likely] or names)}"
    )


def _share_read(column: Any, read: Callable) -> float | None:
    """Return the share of a column's texts that can be read; None if it has no text."""
    texts = [item for item in column if isinstance(item, str)]
    if not texts:
        return None
    return sum(_check(text, read)[0] is None for text in texts[:1000]) / len(texts[:1000])


def _check(formula: Any, read: Callable) -> tuple:
    """Return problem, kind, suspicion and suggestion of one formula."""
    try:
        amounts = read(formula)
    except FormulaError as error:
        return str(error), error.kind, None, _readable(error.suggestion, read)
    if not isinstance(formula, str):
        return None, None, None, None
    for suspect in (_outlying_amount, _upper_case, _non_metal_count, _phase_label):
        suspicion = suspect(formula, amounts)
        if suspicion is not None:
            kind, description, suggestion = suspicion
            return None, kind, description, _readable(suggestion, read)
    return None, None, None, None


def _readable(suggestion: str | None, read: Callable) -> str | None:
    """Return a suggestion without a slip of its own, or None if it cannot be read."""
    if suggestion is None:
        return None
    suggestion = _LOOK_ALIKES.sub(_one_symbol, suggestion)
    try:
        read(suggestion)
    except FormulaError:
        return None
    return suggestion


def _outlying_amount(formula: str, amounts: Amounts) -> Suspicion | None:
    # An element alone (Fe203) is compared with a single atom.
    *_, second, largest = sorted([1.0, *amounts.values()] if len(amounts) < 2 else amounts.values())
    in_percent = is_whole(sum(amounts.values()))
    if largest < 100 or largest <= _FAR * second or in_percent:
        return None
    suggestion = None
    for match in _LONG_AMOUNT.finditer(formula):
        symbol, digits = match.groups()
        if float(digits) != largest:
            continue
        if symbol == "O":
            likely = f"O{digits[0]}.{digits[1:]}"
        else:
            likely = symbol + _ZERO_BEFORE_DIGIT.sub("O", digits, count=1)
        suggestion = formula[: match.start()] + likely + formula[match.end() :]
    element = next(ELEMENTS[z - 1] for z, amount in amounts.items() if amount == largest)
    return (
        "outlying_amount",
        f"{largest:g} atoms of {element} are {largest / second:.0f} times the next amount: was "
        "the letter O typed as zero, or a decimal point lost?",
        None if suggestion == formula else suggestion,
    )


def _upper_case(formula: str, amounts: Amounts) -> Suspicion | None:
    pairs = _LOOK_ALIKES.findall(formula)
    # Formates and acetates end in COO.
    if not pairs or (pairs == ["COO"] and _HYDROGEN in amounts):
        return None
    likely = ", ".join(dict.fromkeys(pair[0] + pair[1].lower() for pair in pairs))
    return (
        "upper_case",
        f"{', '.join(dict.fromkeys(pairs))} is read as single letters: is {likely} meant?",
        _LOOK_ALIKES.sub(_one_symbol, formula),
    )


def _one_symbol(match: re.Match) -> str:
    return match[0][0] + match[0][1].lower() + match[0][2:]


def _non_metal_count(formula: str, amounts: Amounts) -> Suspicion | None:
    for z in _ANIONS:
        others = sum(n for other, n in amounts.items() if other not in (z, _HYDROGEN))
        if others and amounts.get(z, 0) > _FAR_TOO_MANY * others:
            return (
                "non_metal_count",
                f"{amounts[z] / others:.3g} atoms of {ELEMENTS[z - 1]} for each other atom "
                "(hydrogen aside)",
                None,
            )
    return None


def _phase_label(formula: str, amounts: Amounts) -> Suspicion | None:
    label = _PHASE_LABEL.search(formula)
    words = formula.split()
    # `Co Cr Fe` is spaced throughout.
    if label is None or ("(" not in label[0] and re.fullmatch(r"[A-Z][a-z]?[0-9.]*", words[0])):
        return None
    return (
        "phase_label",
        f"{label[0].strip()} is read as an element: is it the name of a phase?",
        formula[: label.start()],
    )
