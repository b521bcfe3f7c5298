"""Keys that say which rows are the same material."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crabsk.composition import (
    ELEMENTS,
    chemical_system,
    parse_formulas,
    read_compositions,
    reduced_formula,
)


@pytest.mark.parametrize(
    ("formula", "key"),
    [
        ("Fe2O3", "O3Fe2"),
        ("Fe4O6", "O3Fe2"),
        ("O3Fe2", "O3Fe2"),
        ("FeO1.5", "O3Fe2"),
        ("Fe0.4O0.6", "O3Fe2"),
        ("Fe2e-9O3e-9", "O3Fe2"),
        ({"Fe": 2 / 5, "O": 3 / 5}, "O3Fe2"),
        ("Si0.5Ge0.5", "SiGe"),
        ("O2", "O"),
        ("He", "He"),
        ("C60", "C"),
        ("CuSO4·5H2O", "H10O9SCu"),
        ("La1.85Sr0.15CuO4", "O80Cu20Sr3La37"),
        ("LaFe0.3333O3", "O30000Fe3333La10000"),
        ("NaCl10000", "NaCl10000"),
        ("H123456789O", "H123456789O"),
        # The scarcest would need 19999 atoms.
        ("Fe19999Ni20001", "FeNi1.0001"),
        ("Fe1.9999Ni2.0001", "FeNi1.0001"),
        ("Fe3.14159268O", "OFe3.1415927"),
    ],
)
def test_reduced_formula(formula, key):
    assert reduced_formula([formula]).tolist() == [key]


def test_keys_of_many_rows():
    formulas = ["Fe2O3", "NaCl", "Fe4O6"]
    keys = reduced_formula(formulas)
    assert keys.dtype == object
    assert keys.tolist() == ["O3Fe2", "NaCl", "O3Fe2"]
    systems = chemical_system(["Fe2O3", "FeO", "ClNa", "Si"])
    assert systems.dtype == object
    assert systems.tolist() == ["O-Fe", "O-Fe", "Na-Cl", "Si"]


def test_different_compositions_have_different_keys():
    formulas = ["FeO", "FeO1.0001", "FeO1.001", "Fe0.999O", "Fe", "O", "Fe2O3", "Fe2O3.0000001"]
    assert len(set(reduced_formula(formulas))) == len(formulas)


@pytest.mark.parametrize("key", [reduced_formula, chemical_system])
def test_every_form_of_X(key):
    formulas = ["Fe2O3", "NaCl"]
    expected = key(formulas).tolist()
    frame = pd.DataFrame({"T": [300, 400], "formula": formulas})
    assert key(frame).tolist() == expected
    assert key(frame, formula_column="formula").tolist() == expected
    assert key(read_compositions(formulas).to_sparse().toarray()).tolist() == expected
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
