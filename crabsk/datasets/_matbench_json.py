"""The official file of a Matbench task: from JSON to formulas.

Gzip-compressed JSON that matminer wrote: a table in the "split" layout of pandas whose structures
are pymatgen's ``Structure.as_dict``. It is read here as plain data, without pymatgen, and the
``@module`` and ``@class`` entries in it are never acted upon.
"""

import gzip
import json
import math
import re
import zlib
from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np

from .._text import shown
from ._matbench_tasks import Task

Rows = tuple[list[str], np.ndarray]  # formulas and targets, n each

# A symbol and, in decorated structures, its oxidation state as pymatgen writes it: Fe3+, O2-, Fe0+.
_SPECIES = re.compile(r"([A-Z][a-z]?)(?:\d*\.?\d*[+-])?")


class _Cell(NamedTuple):
    """What is left of a structure: its formula, or why it has none."""

    formula: str
    problem: str = ""


def read_rows(raw: bytes, short: str, task: Task) -> Rows:
    """Read an official file.

    Returns
    -------
    formulas : list of str of length n

    targets : ndarray of shape (n,)

    Raises
    ------
    ValueError
        If anything in it is not as expected; the message names the row.
    """
    where = f"The file of matbench_{short}"
    try:
        content = json.loads(gzip.decompress(raw), object_hook=_reduce_structure)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise ValueError(f"{where} is not gzip-compressed JSON: {error}") from error
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), list) for key in ("columns", "data")
    ):
        raise ValueError(f"{where} is not a table: it lacks the list 'columns' or 'data'.")
    columns, rows = content["columns"], content["data"]
    for column in (task.inputs, task.column):
        if column not in columns:
            raise ValueError(f"{where} has no column {column!r} but {columns}.")
    if len(rows) != task.n_rows:
        raise ValueError(f"{where} has {len(rows)} rows, it should have {task.n_rows}.")
    inputs, target = columns.index(task.inputs), columns.index(task.column)

    formulas, targets = [], []
    for number, row in enumerate(rows):
        try:
            if not isinstance(row, list) or len(row) != len(columns):
                raise ValueError(f"it is not a list of {len(columns)} values")
            formulas.append(_read_formula(row[inputs], task.inputs))
            targets.append(_read_target(row[target], task))
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{where} cannot be read at row {number}: {error}.") from error
    return formulas, np.array(targets, dtype=task.dtype)


def _reduce_structure(entry: dict[str, Any]) -> dict[str, Any] | _Cell:
    """Replace a structure by its formula as soon as it is read.

    With lattices, coordinates and labels kept to the end, the largest files would need many times
    the memory.
    """
    if "sites" not in entry:
        return entry
    try:
        return _Cell(_cell_formula(entry["sites"]))
    except ValueError as error:
        return _Cell("", problem=str(error))


def _cell_formula(sites: Any) -> str:
    """Write what a cell holds, for example ``K4Mn4O8``.

    Parameters
    ----------
    sites : list of dict
        Each with ``species``, a list of ``{"element": symbol, "occu": share of the site}``.
    """
    if not isinstance(sites, list) or not sites:
        raise ValueError("the structure has no sites")
    occupancies = defaultdict(list)
    for number, site in enumerate(sites):
        try:
            species = [(item["element"], item["occu"]) for item in site["species"]]
        except (KeyError, TypeError):
            species = []
        if not species:
            raise ValueError(f"site {number} does not say which elements are on it")
        for element, share in species:
            match = _SPECIES.fullmatch(element) if isinstance(element, str) else None
            if match is None:
                raise ValueError(f"site {number} holds {element!r}, which is not an element")
            if isinstance(share, bool) or not isinstance(share, int | float) or not share > 0:
                raise ValueError(f"site {number} holds {element} with the occupancy {share!r}")
            occupancies[match[1]].append(share)
        # The tolerance is for the rounding of shares such as 0.1 + 0.2 + 0.7.
        if sum(share for _, share in species) > 1 + 1e-6:
            raise ValueError(f"site {number} is occupied more than once")
    return "".join(
        f"{symbol}{_write_amount(math.fsum(occupancies[symbol]))}" for symbol in sorted(occupancies)
    )


def _write_amount(amount: float) -> str:
    # Three sites of a third each hold 1 atom, not 0.9999999999999999.
    text = np.format_float_positional(amount, precision=8, trim="-")
    if text == "0":
        raise ValueError(f"the amount {amount!r} is too small")
    return text


def _read_formula(value: Any, inputs: str) -> str:
    if inputs == "structure":
        if not isinstance(value, _Cell):
            raise ValueError(f"the structure is {shown(value)}")
        if value.problem:
            raise ValueError(value.problem)
        return value.formula
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"the composition is {shown(value)}")
    return value


def _read_target(value: Any, task: Task) -> float:
    if task.classes:
        # 1.0 is True as well: some writers turn a column of booleans into floats.
        if isinstance(value, bool | int | float) and value in (0, 1):
            return int(value)
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    expected = "true or false" if task.classes else "a finite number"
    raise ValueError(f"{task.column!r} is {shown(value)}, not {expected}")
