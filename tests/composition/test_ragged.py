"""The ragged form, and what becomes of it."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crabsk.composition import (
    ATOMIC_NUMBERS,
    ELEMENTS,
    N_ELEMENTS,
    Compositions,
    compositions_from_matrix,
    parse_formulas,
    reduced_formula,
)

FORMULAS = ["Fe2O3", "NaCl", "H2O", "Si", "La1.85Sr0.15CuO4"]


def assert_same(one, other):
    np.testing.assert_array_equal(one.atomic_numbers, other.atomic_numbers)
    np.testing.assert_array_equal(one.amounts, other.amounts)
    np.testing.assert_array_equal(one.offsets, other.offsets)


def assert_well_formed(compositions, n):
    assert len(compositions) == n
    assert compositions.atomic_numbers.dtype == np.int64
    assert compositions.amounts.dtype == np.float64
    assert compositions.offsets.dtype == np.int64
    assert compositions.offsets[0] == 0
    assert compositions.offsets[-1] == len(compositions.atomic_numbers)
    assert len(compositions.amounts) == len(compositions.atomic_numbers)
    rows = np.split(compositions.atomic_numbers, compositions.offsets[1:-1])
    assert all((np.diff(row) > 0).all() for row in rows)


def test_the_periodic_table():
    assert N_ELEMENTS == len(ELEMENTS) == len(set(ELEMENTS)) == 118
    assert [ELEMENTS[z - 1] for z in (1, 2, 26, 57, 72, 118)] == ["H", "He", "Fe", "La", "Hf", "Og"]
    assert ATOMIC_NUMBERS["U"] == 92


def test_parsed_formulas_lie_end_to_end_in_order_of_atomic_number():
    compositions = parse_formulas(["Fe2O3", "NaCl", "Si"])
    assert_well_formed(compositions, 3)
    assert compositions.atomic_numbers.tolist() == [8, 26, 11, 17, 14]
    assert compositions.amounts.tolist() == [3, 2, 1, 1, 1]
    assert compositions.offsets.tolist() == [0, 2, 4, 5]
    assert compositions.lengths.tolist() == [2, 2, 1]
    assert compositions.row_of_token.tolist() == [0, 0, 1, 1, 2]
    assert compositions.fractions.tolist() == [0.6, 0.4, 0.5, 0.5, 1.0]


def test_no_formulas_give_no_compositions():
    compositions = parse_formulas([])
    assert_well_formed(compositions, 0)
    assert compositions.fractions.shape == (0,)


def test_one_formula_in_many_spellings_is_one_composition():
    spellings = ["Ca(OH)2", "(HO)2Ca", "CaO2H2", "H2·CaO2", {"Ca": 1, "O": 2, "H": 2}, "[HO]2[Ca]"]
    for spelling in spellings:
        assert_same(parse_formulas([spelling]), parse_formulas(["CaO2H2"]))


@pytest.mark.parametrize(
    "formulas",
    ["NO", {"Fe": 2, "O": 3}, np.str_("NO")],
    ids=["str", "dict", "numpy str"],
)
def test_a_single_formula_is_not_a_list_of_formulas(formulas):
    with pytest.raises(ValueError, match="is a single formula: pass a list"):
        parse_formulas(formulas)


@pytest.mark.parametrize(
    "formulas",
    [{"Fe", "O"}, frozenset(["Fe"]), {"Fe": 1}.keys(), pd.DataFrame({"Fe": [1.0], "O": [2.0]})],
    ids=["set", "frozenset", "keys", "frame"],
)
def test_what_has_no_order_of_rows_is_refused(formulas):
    with pytest.raises(ValueError, match="pass a list or one column"):
        parse_formulas(formulas)


def test_any_iterable_with_an_order_is_read():
    expected = parse_formulas(FORMULAS)
    for formulas in (iter(FORMULAS), (f for f in FORMULAS), np.array(FORMULAS), tuple(FORMULAS)):
        assert_same(parse_formulas(formulas), expected)


@pytest.mark.parametrize(
    "rows",
    [
        [0, 1, 2, 3, 4],
        [4, 0, 2],
        [1, 1, 4, 1],
        [3],
        [],
        [-1, 0],
        np.array([], dtype=np.intp),
        np.array([2, 0], dtype=np.int32),
        slice(1, 4),
        np.array([True, False, False, True, True]),
    ],
)
def test_take(rows):
    compositions = parse_formulas(FORMULAS)
    expected = parse_formulas(np.array(FORMULAS)[rows])
    taken = compositions.take(rows)
    assert_well_formed(taken, len(expected))
    assert_same(taken, expected)
    assert_same(compositions, parse_formulas(FORMULAS))


def test_take_refuses_rows_that_are_not_there():
    with pytest.raises(IndexError, match="out of bounds"):
        parse_formulas(FORMULAS).take([5])


def test_take_with_empty_compositions():
    compositions = compositions_from_matrix(np.array([[0.0, 0], [1, 2], [0, 0]]))
    taken = compositions.take([2, 1, 0, 1])
    assert taken.lengths.tolist() == [0, 2, 0, 2]
    assert taken.amounts.tolist() == [1, 2, 1, 2]


def test_compositions_survive_a_pickle():
    compositions = parse_formulas(FORMULAS)
    assert_same(pickle.loads(pickle.dumps(compositions)), compositions)


def test_compositions_can_be_compared_for_identity_only():
    one, other = parse_formulas(FORMULAS), parse_formulas(FORMULAS)
    assert one in [one]
    assert one != other


# Matrices


def test_a_matrix_is_read_by_column():
    compositions = compositions_from_matrix(np.array([[2, 0, 0, 0, 0, 0, 0, 1], [0] * 7 + [2]]))
    assert_well_formed(compositions, 2)
    assert compositions.atomic_numbers.tolist() == [1, 8, 8]
    assert compositions.amounts.tolist() == [2, 1, 2]


def test_a_matrix_with_columns_in_any_order_is_sorted():
    compositions = compositions_from_matrix(np.array([[3.0, 2.0, 0.0]]), np.array([26, 8, 1]))
    assert compositions.atomic_numbers.tolist() == [8, 26]
    assert compositions.amounts.tolist() == [2, 3]


def test_rows_of_zeros_survive_as_empty_compositions():
    compositions = compositions_from_matrix(np.array([[0, 0.0], [1, 3], [0, 0], [0, 0]]))
    assert_well_formed(compositions, 4)
    assert compositions.lengths.tolist() == [0, 2, 0, 0]
    assert compositions.fractions.tolist() == [0.25, 0.75]
    only_zeros = compositions_from_matrix(np.zeros((3, 5)))
    assert_well_formed(only_zeros, 3)
    assert only_zeros.fractions.shape == (0,)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (-1.0, "row 1 has -1 of He"),
        (np.nan, "row 1 has nan of He"),
        (np.inf, "row 1 has inf of He"),
    ],
)
def test_a_matrix_with_what_is_no_amount_is_refused(value, words):
    with pytest.raises(ValueError, match=words):
        compositions_from_matrix(np.array([[1.0, 2.0], [1.0, value]]))


@pytest.mark.parametrize("row", [[1e308, 1e308], [5e-324, 1e300]])
def test_a_matrix_whose_fractions_would_vanish_is_refused(row):
    with pytest.raises(ValueError, match="row 1: the amounts are too large, or too far apart"):
        compositions_from_matrix(np.array([[1.0, 1.0], row]))


@settings(deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(ELEMENTS), st.floats(1e-6, 1e6), min_size=1, max_size=8),
        min_size=1,
        max_size=8,
    )
)
def test_fractions_add_up_to_one_and_a_matrix_reads_the_same(mappings):
    compositions = parse_formulas(mappings)
    assert_well_formed(compositions, len(mappings))
    totals = np.add.reduceat(compositions.fractions, compositions.offsets[:-1])
    np.testing.assert_allclose(totals, 1, rtol=1e-12)
    matrix = np.zeros((len(mappings), N_ELEMENTS))
    for row, mapping in enumerate(mappings):
        for symbol, amount in mapping.items():
            matrix[row, ATOMIC_NUMBERS[symbol] - 1] = amount
    assert_same(compositions_from_matrix(matrix), compositions)
    assert isinstance(compositions, Compositions)


def test_unique_finds_equal_fractions():
    compositions = parse_formulas(["Fe2O3", "NaCl", "Fe4O6", "ClNa", "FeO", "Fe"])
    first, inverse = compositions.unique()
    assert first.tolist() == [0, 1, 4, 5]
    assert inverse.tolist() == [0, 1, 0, 1, 2, 3]


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(ELEMENTS), st.integers(1, 300), min_size=1, max_size=6),
    st.sampled_from([10, 3, 7, 100, 0.1, 1 / 3, 1e-3]),
)
def test_multiples_are_one_composition_everywhere(amounts, factor):
    """`Fe8Cr7Co4O4` and `Fe0.8Cr0.7Co0.4O0.4` differ in the last bits of their fractions."""
    other = {symbol: n * factor for symbol, n in amounts.items()}
    text = "".join(f"{symbol}{n / 10}" for symbol, n in amounts.items())
    compositions = parse_formulas([amounts, other, text])
    assert compositions.unique()[1].tolist() == [0, 0, 0]
    assert len(set(reduced_formula([amounts, other, text]))) == 1


@settings(deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["Fe", "O"]), st.floats(0.01, 100), min_size=1, max_size=2),
        min_size=2,
        max_size=6,
    )
)
def test_the_same_composition_is_that_of_the_same_reduced_formula(items):
    inverse = parse_formulas(items).unique()[1]
    keys = reduced_formula(items)
    np.testing.assert_array_equal(inverse[:, None] == inverse, keys[:, None] == keys)


def test_unique_heeds_the_numbers_beside():
    compositions = parse_formulas(["Fe", "Fe", "Fe"])
    first, inverse = compositions.unique(np.array([[0.0], [300.0], [-0.0]]))
    assert first.tolist() == [0, 1]
    assert inverse.tolist() == [0, 1, 0]


def test_unique_with_empty_compositions():
    compositions = compositions_from_matrix(np.array([[0.0, 0], [1, 0], [0, 0]]))
    first, inverse = compositions.unique()
    assert first.tolist() == [0, 1]
    assert inverse.tolist() == [0, 1, 0]
