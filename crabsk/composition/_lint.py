"""Look through a column of formulas: what cannot be read, and what looks like a typing error."""

import re
from collections.abc import Callable, Hashable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from .._text import few, shown
from ._elements import ATOMIC_NUMBERS, ELEMENTS
from ._errors import FormulaError, is_missing
from ._formula import FormulaReader
from ._input import formula_columns
from ._parts import Amounts, is_whole

if TYPE_CHECKING:
    import pandas as pd

# Symbols in capitals that are far more often one: MnSI1.75 is MnSi1.75. KNO3, CaCO3, H3PO4 and the
# like are as they should be.
_LOOK_ALIKES = re.compile(
    r"""
      (?:SI|NB|NI|PB|BI|IN|SN|SB|CU|SC(?!N)|(?<!C)OS)(?![a-z])
    # Oxygen comes twice, or a metal behind carbon monoxide: LaCOO3, CO3O4, COFe2O4.
    | CO(?=O(?![a-z]) | [0-9.]+O(?![a-z]) | (?:Fe|Ni|Mn|Cr|Cu|Al|Ti|V|Zn|Mo|W)(?![a-z]))
    | HO(?=[0-9.]+O(?![a-z])) | HF(?=O)
    """,
    re.VERBOSE,
)

# The C of NaCI and CaC12 may be half of Cl: behind a metal, before iodine or a 1.
_CHLORINE = re.compile(r"(?<=[a-z])C(?:I(?![a-z])|1(?=[2-4](?![0-9.])|O[0-9]))")

# The zero of 5H20, and that of Na20 and Fe203 without any other element, may be the letter O.
_WATER = re.compile(r"((?:^|[(·•*⋅∙‧・×.][0-9.]*)H2)0(?=$|\))|(?<=[A-Za-z])0(?=H)")
_OXIDE_ALONE = re.compile(r"([A-Z][a-z]?[2-5]?)0([2-7]?)")
_BARE_ZERO = re.compile(r"(?<=[A-Za-z])0(?![0-9.])")
_OXYGEN = re.compile(r"O(?![a-z])")

# An amount of three digits or more without a point, which may hold a letter O (YBa2Cu307) or have
# lost its point (O6050).
_LONG_AMOUNT = re.compile(r"([A-Z][a-z]?)([1-9][0-9]{2,})(?![0-9.])")
_ZERO_BEFORE_DIGIT = re.compile("0(?=[1-9])")
_FAR = 10

# Of the 524,000 formulas of Matbench and other sets, eight have so much of one of these elements.
_ANIONS = [ATOMIC_NUMBERS[symbol] for symbol in ("N", "O", "F", "S", "Cl", "Se", "Br", "I")]
_HYDROGEN = ATOMIC_NUMBERS["H"]
_CARBON = ATOMIC_NUMBERS["C"]
_FAR_TOO_MANY = 12

# `TiO2(B)`, `VO2 M`, `SiC(4H)` and `Fe(BCC)` name a phase, a polytype or a form.
_PHASE_LABEL = re.compile(
    r"(?<=[0-9a-zA-Z)\s])(?:\((?:[0-9]*[A-Z][a-z]?|[BFH]CC|HCP|DO3|L1[02]|B[12]|N[CPSW]s?)\)|\s[A-Z][a-z]?)$"
)

# Names of alloys that read as formulas; their numbers are percent by weight.
_ALLOYS = re.compile(
    r"""
      Ti6Al(?:4V|7Nb|2Sn4Zr2Mo) | AlSi(?:7|9|10)Mg(?:0\.3)? | AlSi12 | CuZn(?:30|37|40)
    | CuSn(?:6|8|12) | Co28Cr6Mo | Fe36Ni | SnPb37 | Sn3Ag0\.5Cu
    """,
    re.VERBOSE,
)

# The first numbers of the parts of 0.7Li2S-0.3P2S5.
_SHARES = re.compile(r"(?:^|-)\s*([0-9]*\.?[0-9]+)")

_NAMES_OF_FORMULAS = re.compile(r"formula|composition|compound|material", re.IGNORECASE)

Suspicion = tuple[str, str, str | None]
"""Kind, description, suggestion."""


def check_formulas(X: Any, *, formula_column: Hashable = "auto") -> "pd.DataFrame":
    """List for each row whether its formula can be read, and what looks wrong about it.

    A bad formula raises no error. A *problem* is a formula that `parse_formulas` and the estimators
    refuse. A *suspicion* is a formula that can be read, but looks like a typing error: check it.

    Parameters
    ----------
    X : sequence of formulas, column of formulas or DataFrame
        Rows to check. All other columns of a DataFrame are ignored.
    formula_column : "auto", str or int, default="auto"
        Which column of a table holds the formulas. "auto" takes the column of text whose name
        says so (``formula``, ``composition``, ...), or else the column of text that is most
        readable as formulas.

    Returns
    -------
    pandas.DataFrame of shape (n_samples, 6)
        One row for each row of X, with the index of X if X is a pandas object:

        - ``row``: position in X, from 0;
        - ``formula``: the formula as given in X;
        - ``problem``: why it cannot be read, or None;
        - ``kind``: the kind of problem or suspicion, as a keyword for programs, or None;
        - ``suspicion``: what looks wrong about a formula that can be read, or None;
        - ``suggestion``: a readable formula that may have been meant, or None. Check it before you
          use it.

    Raises
    ------
    ValueError
        If X has no column of text, or if it has several and none is clearly the one with formulas.

    Notes
    -----
    Kinds of problems: ``acronym``, ``ambiguous_point``, ``amount``, ``bracket``, ``character``,
    ``charge``, ``empty``, ``hydrogen_isotope``, ``isotope``, ``leading_zero``, ``missing``,
    ``mixture``, ``nothing``, ``number_in_front``, ``oxidation_state``, ``spaces``, ``type``,
    ``unknown_amount``, ``unknown_element``, ``unreadable``, ``variable``, ``word``.

    Kinds of suspicions: ``alloy_name``, ``chlorine``, ``non_metal_count``, ``outlying_amount``,
    ``phase_label``, ``shares``, ``upper_case``, ``zero_for_oxygen``.

    A suspicion may be wrong. Of the 524,000 distinct formulas of Matbench, the paper's other
    data sets and four tables of measurements, 373 raise one.

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

    found = formula_columns(X) or _without_text(X)
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


def _without_text(X: Any) -> tuple[list, list]:
    """Return a sequence of which nothing is text, if all of it is missing."""
    items = X.to_list() if hasattr(type(X), "to_list") else X
    if isinstance(items, list | tuple) and all(map(is_missing, items)):
        return [list(items)], [0]
    raise ValueError("X holds no formulas: it has neither text nor mappings")


def _choose(columns: list, names: list, formula_column: Hashable, read: Callable) -> int:
    """Return the position of the column of formulas."""
    if formula_column != "auto" and len(columns) > 1:
        return _column_named(names, formula_column)
    if len(columns) == 1:
        return 0
    shares = {
        j: share for j, c in enumerate(columns) if (share := _share_read(c, read)) is not None
    }
    likely = [j for j in shares if _NAMES_OF_FORMULAS.search(str(names[j]))]
    if len(likely) != 1:
        best = max(shares.values(), default=0)
        likely = [j for j, share in shares.items() if share > 0.5 or share == best]
    if len(likely) == 1:
        return likely[0]
    raise ValueError(
        "which column holds the formulas? Name one as formula_column=: "
        f"{few([names[j] for j in likely] or names)}"
    )


def _column_named(names: list, formula_column: Hashable) -> int:
    """Return the position of the one column of that name."""
    found = [j for j, name in enumerate(names) if name == formula_column]
    if len(found) != 1:
        raise ValueError(
            f"formula_column={shown(formula_column)} names {len(found)} columns of X: {few(names)}"
        )
    return found[0]


def _share_read(column: Any, read: Callable) -> float | None:
    """Return the share of a column's formulas that can be read; None if it holds only numbers."""
    items = list(islice((item for item in column if isinstance(item, str | Mapping)), 1000))
    if not items:
        return None
    return sum(_check(item, read)[0] is None for item in items) / len(items)


def _check(formula: Any, read: Callable) -> tuple:
    """Return problem, kind, suspicion and suggestion of one formula."""
    try:
        amounts = read(formula)
    except FormulaError as error:
        return str(error), error.kind, None, _readable(error.suggestion, read)
    if not isinstance(formula, str):
        return None, None, None, None
    suspicion = _suspicion(formula, amounts)
    if suspicion is None:
        return None, None, None, None
    kind, description, suggestion = suspicion
    return None, kind, description, _readable(suggestion, read)


def _readable(suggestion: str | None, read: Callable) -> str | None:
    """Return a suggestion without errors of its own; None if it has some that cannot be mended."""
    for _ in range(4):
        if suggestion is None:
            return None
        try:
            suspicion = _suspicion(suggestion, read(suggestion))
        except FormulaError as error:
            suggestion = error.suggestion
            continue
        if suspicion is None:
            return suggestion
        suggestion = suspicion[2]
    return None


def _suspicion(formula: str, amounts: Amounts) -> Suspicion | None:
    for suspect in (
        _alloy_name,
        _zero_for_oxygen,
        _outlying_amount,
        _upper_case,
        _chlorine,
        _non_metal_count,
        _phase_label,
        _shares,
    ):
        suspicion = suspect(formula, amounts)
        if suspicion is not None:
            return suspicion
    return None


def _alloy_name(formula: str, amounts: Amounts) -> Suspicion | None:
    if not _ALLOYS.fullmatch(formula.strip()):
        return None
    return (
        "alloy_name",
        "this is the name of an alloy in percent by weight, but is read as numbers of atoms: give "
        "from_weight_percent a name with dashes ('Ti-6Al-4V') or a mapping",
        None,
    )


def _zero_for_oxygen(formula: str, amounts: Amounts) -> Suspicion | None:
    description = "a zero stands where the letter O is common"
    if _WATER.search(formula):
        return "zero_for_oxygen", description, _WATER.sub(r"\1O", formula)
    oxide = _OXIDE_ALONE.fullmatch(formula.strip())
    if oxide and len(amounts) == 1 and _CARBON not in amounts:
        return "zero_for_oxygen", description, f"{oxide[1]}O{oxide[2]}"
    # A zero is an absence in a sweep of alloys, which add up.
    total = sum(amounts.values())
    adds_up = is_whole(total) and (total > 1 or "." in formula)
    if not adds_up and not _OXYGEN.search(formula) and _BARE_ZERO.search(formula):
        return "zero_for_oxygen", description, _BARE_ZERO.sub("O", formula)
    return None


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
    # Organic molecules have COO and CO2 in plenty.
    pairs = [p for p in _LOOK_ALIKES.findall(formula) if p != "CO" or _HYDROGEN not in amounts]
    if not pairs:
        return None
    likely = ", ".join(dict.fromkeys(pair[0] + pair[1].lower() for pair in pairs))
    return (
        "upper_case",
        f"{', '.join(dict.fromkeys(pairs))} is read as single letters: is {likely} meant?",
        _LOOK_ALIKES.sub(_one_symbol, formula),
    )


def _one_symbol(match: re.Match) -> str:
    return match[0][0] + match[0][1].lower()


def _chlorine(formula: str, amounts: Amounts) -> Suspicion | None:
    if not _CHLORINE.search(formula):
        return None
    description = "carbon and iodine, or carbon and a 1, may be Cl"
    return "chlorine", description, _CHLORINE.sub("Cl", formula)


def _shares(formula: str, amounts: Amounts) -> Suspicion | None:
    if "-" not in formula or "(" in formula:
        return None
    total = sum(map(float, _SHARES.findall(formula)))
    if is_whole(total) or total > 1.5:
        return None
    return "shares", f"the numbers of the parts add up to {total:g}", None


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
    label = _PHASE_LABEL.search(formula.rstrip())
    # `Co Cr Fe` is spaced throughout.
    if label is None or (
        "(" not in label[0] and re.fullmatch(r"[A-Z][a-z]?[0-9.]*", formula.split()[0])
    ):
        return None
    return (
        "phase_label",
        f"{label[0].strip()} is read as an element: is it the name of a phase?",
        formula[: label.start()].rstrip(),
    )
