"""Compositions of species: elements with oxidation states, as they are written or guessed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._text import few, shown
from ._elements import ATOMIC_NUMBERS, ELEMENTS, FORMULA_SYMBOLS, split_species
from ._errors import FormulaError, RowErrors, formula_error
from ._ragged import Compositions

MOST_ATOMS = 40
"""Atoms of a formula, in smallest whole amounts, up to which oxidation states are guessed."""


@dataclass(frozen=True, slots=True)
class SpeciesCompositions:
    """Species of formulas, end to end. Shape letters: T species.

    Parameters
    ----------
    atomic_numbers : ndarray of shape (T,), int64
        Their elements.
    oxidation_states : ndarray of shape (T,)
        NaN where none is known.
    amounts : ndarray of shape (T,)
        Amounts above zero.
    offsets : ndarray of shape (n_compositions + 1,), int64
        Species ``offsets[i]:offsets[i + 1]`` belong to composition ``i``.
    """

    atomic_numbers: np.ndarray
    oxidation_states: np.ndarray
    amounts: np.ndarray
    offsets: np.ndarray

    @property
    def as_compositions(self) -> Compositions:
        """The same with species of one element as several tokens, for statistics over them."""
        return Compositions(self.atomic_numbers, self.amounts, self.offsets)

    @property
    def row_of_token(self) -> np.ndarray:
        """The composition that each species belongs to."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


def species_of(
    items: Sequence[Any] | None, compositions: Compositions, *, guess: bool
) -> SpeciesCompositions:
    """Return the species of formulas that were read already.

    Parameters
    ----------
    items : sequence or None
        The formulas, as given in X; None for a matrix of amounts, which has no species.
    compositions : Compositions
        The compositions read from them.
    guess : bool
        Whether to guess the oxidation states of formulas that give none.

    Raises
    ------
    FormulaError
        If a formula gives oxidation states of some elements only.
    ImportError
        If there is something to guess and pymatgen is not installed.
    """
    tokens: list[tuple[int, float, float]] = []
    lengths = []
    errors = RowErrors()
    # Worked out anew at each use of the property.
    all_reduced = compositions.reduced_amounts if guess else compositions.amounts
    guesses: dict[bytes, list[tuple[int, float, float]]] = {}
    for row in range(len(compositions)):
        try:
            own = _written(items[row]) if items is not None else None
        except FormulaError as error:
            errors.add(row, error)
            continue
        if own is None:
            part = slice(compositions.offsets[row], compositions.offsets[row + 1])
            numbers, amounts = compositions.atomic_numbers[part], compositions.amounts[part]
            own = [(int(z), math.nan, float(n)) for z, n in zip(numbers, amounts, strict=True)]
            if guess and len(own):
                reduced = all_reduced[part]
                key = numbers.tobytes() + reduced.tobytes()
                if key not in guesses:
                    guesses[key] = _guessed(numbers, reduced)
                # In the amounts of the formula as it is written.
                multiple = amounts.sum() / reduced.sum()
                own = [(z, q, n * multiple) for z, q, n in guesses[key]] or own
        tokens += own
        lengths.append(len(own))
    errors.raise_if_any(len(compositions))
    columns = np.array(tokens, dtype=np.float64).reshape(-1, 3)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return SpeciesCompositions(
        columns[:, 0].astype(np.int64), columns[:, 1], columns[:, 2], offsets
    )


def _written(item: Any) -> list[tuple[int, float, float]] | None:
    """Return the species that a mapping gives; None if it gives no oxidation state at all."""
    if not isinstance(item, Mapping):
        return None
    found = []
    for key, amount in item.items():
        if isinstance(key, str):
            symbol, state = split_species(key) or (key, math.nan)
        else:  # pymatgen's Element and Species
            known = getattr(key, "oxi_state", None)
            symbol, state = key.symbol, math.nan if known is None else float(known)
        if amount:
            found.append((FORMULA_SYMBOLS[symbol], state, float(amount)))
    without = [ELEMENTS[z - 1] for z, state, _ in found if math.isnan(state)]
    if len(without) == len(found):
        return None
    if without:
        raise formula_error(
            f"{shown(item)} has no oxidation state for {few(without)}: give those of all its "
            "elements, or of none",
            "oxidation_state",
        )
    return found


def _guessed(atomic_numbers: np.ndarray, amounts: np.ndarray) -> list[tuple[int, float, float]]:
    """Return the most likely species of a formula in whole amounts; none if nothing balances."""
    if (amounts % 1).any() or amounts.sum() > MOST_ATOMS:
        return []
    try:
        from pymatgen.core import Composition
    except ImportError as error:
        raise ImportError(
            "guessing oxidation states needs pymatgen: pip install pymatgen. Or write them, as in "
            "{'Fe3+': 2, 'O2-': 3}"
        ) from error
    symbols = [ELEMENTS[z - 1] for z in atomic_numbers]
    formula = Composition(dict(zip(symbols, amounts.tolist(), strict=True)))
    if not formula.oxi_state_guesses():
        return []  # where pymatgen would put zeros
    guessed: Mapping[Any, float] = formula.add_charges_from_oxi_state_guesses()
    return [
        (ATOMIC_NUMBERS[species.symbol], float(species.oxi_state), float(amount))
        for species, amount in guessed.items()
    ]
