"""Species: elements with oxidation states, as written or guessed."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition, Element, Species

from crabsk.composition import ELEMENTS, FormulaError, parse_formulas
from crabsk.composition._elements import split_species
from crabsk.composition._species import MOST_ATOMS, species_of


def read(items, guess=False):
    """Return the species of each item as {(symbol, state): amount}."""
    species = species_of(items, parse_formulas(items), guess=guess)
    found = [{} for _ in items]
    for row, z, state, amount in zip(
        species.row_of_token,
        species.atomic_numbers,
        species.oxidation_states,
        species.amounts,
        strict=True,
    ):
        found[row][ELEMENTS[z - 1], None if math.isnan(state) else state] = amount
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fe3+", ("Fe", 3.0)),
        ("O2-", ("O", -2.0)),
        ("Na+", ("Na", 1.0)),
        ("Cl-", ("Cl", -1.0)),
        ("Cu0+", ("Cu", 0.0)),
        ("Fe2.5+", ("Fe", 2.5)),
        ("D+", ("D", 1.0)),
        ("Fe", None),
        ("Xx2+", None),
        ("Fe2", None),
        ("Fe+3", None),
        ("Fe3+O", None),
        ("Fe.+", None),
        ("", None),
    ],
)
def test_split_species(text, expected):
    assert split_species(text) == expected


@given(st.sampled_from(ELEMENTS), st.integers(-9, 9).filter(bool))
def test_species_as_pymatgen_writes_them(symbol, state):
    assert split_species(str(Species(symbol, state))) == (symbol, state)


class TestWritten:
    def test_mapping(self):
        assert read([{"Fe3+": 2, "O2-": 3}]) == [{("Fe", 3): 2, ("O", -2): 3}]

    def test_two_states_of_an_element_stay_apart(self):
        mixed = {"Fe2+": 1, "Fe3+": 2, "O2-": 4}
        assert read([mixed]) == [{("Fe", 2): 1, ("Fe", 3): 2, ("O", -2): 4}]
        # To what knows no species they are one element.
        assert parse_formulas([mixed]).amounts.tolist() == [4, 3]

    def test_pymatgen(self):
        composition = Composition({Species("Na", 1): 1, Species("Cl", -1): 1})
        assert read([composition]) == [{("Na", 1): 1, ("Cl", -1): 1}]

    def test_none_given(self):
        nothing = {("Na", None): 1, ("Cl", None): 1}
        assert read(["NaCl", {"Na": 1, "Cl": 1}, {Element("Na"): 1, Element("Cl"): 1}]) == (
            [nothing] * 3
        )

    def test_zeros_are_absences(self):
        assert read([{"Fe2+": 0, "Fe3+": 2, "O2-": 3}]) == [{("Fe", 3): 2, ("O", -2): 3}]

    @pytest.mark.parametrize("item", [{"Fe3+": 2, "O": 3}, {Species("Fe", 3): 2, Element("O"): 3}])
    def test_some_given(self, item):
        with pytest.raises(FormulaError, match=r"row 1: .* no oxidation state for 'O': give those"):
            read(["NaCl", item])

    def test_matrix_of_amounts(self):
        compositions = parse_formulas(["NaCl"])
        assert np.isnan(species_of(None, compositions, guess=False).oxidation_states).all()


class TestGuessed:
    @pytest.mark.parametrize(
        ("formula", "expected"),
        [
            ("Fe2O3", {("Fe", 3): 2, ("O", -2): 3}),
            ("Fe3O4", {("Fe", 2): 1, ("Fe", 3): 2, ("O", -2): 4}),
            ("Na0.5Bi0.5TiO3", {("Na", 1): 0.5, ("Bi", 3): 0.5, ("Ti", 4): 1, ("O", -2): 3}),
            ("Li6S3", {("Li", 1): 6, ("S", -2): 3}),
        ],
    )
    def test_balanced(self, formula, expected):
        (found,) = read([formula], guess=True)
        assert found == pytest.approx(expected)

    def test_what_is_given_is_not_guessed(self):
        assert read([{"Fe2+": 2, "O2-": 3}], guess=True) == [{("Fe", 2): 2, ("O", -2): 3}]

    @pytest.mark.parametrize(
        "formula", ["Cu3Au", "Fe0.98C0.02", f"Li{MOST_ATOMS}Cl{MOST_ATOMS + 1}"]
    )
    def test_no_balance_or_too_many_atoms(self, formula):
        (found,) = read([formula], guess=True)
        assert {state for _, state in found} == {None}

    def test_without_pymatgen(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pymatgen.core", None)
        with pytest.raises(ImportError, match="pip install pymatgen"):
            read(["Fe2O3"], guess=True)
        assert read([{"Na+": 1, "Cl-": 1}], guess=True) == [{("Na", 1): 1, ("Cl", -1): 1}]
