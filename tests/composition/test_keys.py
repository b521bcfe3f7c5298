"""Keys that say which rows are the same material."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition

from crabsk.composition import (
    ELEMENTS,
    chemical_system,
    parse_formulas,
    reduced_formula,
)


@pytest.mark.parametrize(
    ("formula", "key"),
    [
        ("Fe2O3", "Fe2O3"),
        ("Te3Bi2", "Bi2Te3"),
        ("O2Ca", "CaO2"),
        ("OH2", "H2O"),
        ("N2H8", "H4N"),
        # names of materials, which are refused as formulas
        ("Y2B2C2O2", "Y1B1C1O1"),
        ({"Eu": 1, "Ru": 1212}, "Eu1Ru1212"),
        # an amount in front of H2O, which is refused as a hydrate
        ({"Pt": 3.14159268, "H": 2, "O": 1}, "H2Pt3.1415927O"),
        ("Fe4O6", "Fe2O3"),
        ("O3Fe2", "Fe2O3"),
        ("FeO1.5", "Fe2O3"),
        ("Fe0.4O0.6", "Fe2O3"),
        ("Fe2e-9O3e-9", "Fe2O3"),
        ({"Fe": 2 / 5, "O": 3 / 5}, "Fe2O3"),
        ("Si0.5Ge0.5", "SiGe"),
        ("O2", "O"),
        ("He", "He"),
        ("C60", "C"),
        ("CuSO4·5H2O", "CuH10SO9"),
        ("La1.85Sr0.15CuO4", "Sr3La37Cu20O80"),
        ("LaFe0.3333O3", "La10000Fe3333O30000"),
        ("NaCl10000", "NaCl10000"),
        ("H123456789O", "H123456789O"),
        # The scarcest would need 19999 atoms.
        ("Fe19999Ni20001", "FeNi1.0001"),
        ("Fe1.9999Ni2.0001", "FeNi1.0001"),
        ("Fe3.14159268O", "Fe3.1415927O"),
    ],
)
def test_reduced_formula(formula, key):
    assert reduced_formula([formula]).tolist() == [key]


def test_keys_of_many_rows():
    formulas = ["Fe2O3", "NaCl", "Fe4O6"]
    keys = reduced_formula(formulas)
    assert keys.dtype == object
    assert keys.tolist() == ["Fe2O3", "NaCl", "Fe2O3"]
    systems = chemical_system(["Fe2O3", "FeO", "ClNa", "Si"])
    assert systems.dtype == object
    assert systems.tolist() == ["Fe-O", "Fe-O", "Cl-Na", "Si"]


def test_different_compositions_have_different_keys():
    formulas = ["FeO", "FeO1.0001", "FeO1.001", "Fe0.999O", "Fe", "O", "Fe2O3", "Fe2O3.0000001"]
    assert len(set(reduced_formula(formulas))) == len(formulas)


@pytest.mark.parametrize("key", [reduced_formula, chemical_system])
def test_every_form_of_X(key):
    formulas = ["Fe2O3", "NaCl"]
    expected = key(formulas).tolist()
    frame = pd.DataFrame({"T": [300, 400], "formula": formulas})
    assert key(frame).tolist() == expected
    matrix = np.zeros((2, 118))
    matrix[[0, 0, 1, 1], [25, 7, 10, 16]] = [2, 3, 1, 1]
    assert key(matrix).tolist() == expected
    with pytest.raises(ValueError, match="row 1: 'Xx'"):
        key(["Fe", "Xx"])


def test_empty_compositions_have_an_empty_key():
    matrix = np.array([[0.0, 0], [2, 4], [0, 0]])
    assert reduced_formula(matrix).tolist() == ["", "HHe2", ""]
    assert chemical_system(matrix).tolist() == ["", "H-He", ""]
    assert reduced_formula(np.zeros((2, 3))).tolist() == ["", ""]
    assert reduced_formula(np.zeros((0, 3))).tolist() == []


counts = st.dictionaries(st.sampled_from(ELEMENTS), st.integers(1, 300), min_size=1, max_size=6)


@settings(deadline=None)
@given(counts, st.floats(1e-6, 1e6))
def test_multiples_share_a_key_that_reads_back(amounts, factor):
    keys = reduced_formula(
        [{symbol: n * multiple for symbol, n in amounts.items()} for multiple in (1, 3, factor)]
    )
    assert len(set(keys)) == 1
    read = parse_formulas([keys[0]])
    assert np.gcd.reduce(read.amounts.astype(int)) == 1
    np.testing.assert_allclose(read.fractions, parse_formulas([amounts]).fractions, rtol=1e-12)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(ELEMENTS), st.floats(1e-9, 1e9), min_size=1, max_size=6))
def test_keys_of_any_amounts_read_back_to_eight_digits(amounts):
    read = parse_formulas(reduced_formula([amounts]))
    expected = parse_formulas([amounts])
    np.testing.assert_array_equal(read.atomic_numbers, expected.atomic_numbers)
    np.testing.assert_allclose(read.fractions, expected.fractions, rtol=2e-7)


@pytest.mark.filterwarnings("ignore:No Pauling electronegativity:UserWarning")
@settings(deadline=None)
@given(counts)
def test_order_is_that_of_pymatgen(amounts):
    theirs = Composition(amounts)
    symbols = re.findall(r"[A-Z][a-z]?", theirs.formula)
    assert re.findall(r"[A-Z][a-z]?", reduced_formula([amounts])[0]) == symbols
    assert chemical_system([amounts]).tolist() == [theirs.chemical_system]


@pytest.mark.parametrize("ratio", [2.5, 3.14159268, 12.000001, 1.2])
@pytest.mark.parametrize("solvent", [{"H": 2, "O": 1}, {"N": 1, "H": 3}, {"C": 1, "H": 4, "O": 1}])
@pytest.mark.parametrize("metal", ["Na", "Pt", "Au"])
def test_keys_of_compounds_with_solvents_read_back(metal, ratio, solvent):
    amounts = {metal: ratio, **solvent}
    (key,) = reduced_formula([amounts])
    read, expected = parse_formulas([key]), parse_formulas([amounts])
    np.testing.assert_array_equal(read.atomic_numbers, expected.atomic_numbers)
    np.testing.assert_allclose(read.fractions, expected.fractions, rtol=2e-7)
