"""Columns beside the composition, range by range."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tiny import REGRESSORS, tiny, tiny_crabnet

from crabsk.composition import parse_formulas
from crabsk.neural_network._extra_columns import MOST_COLUMNS, N_RANGES, encode_ranges, range_edges


def test_ranges_hold_like_shares_of_the_values():
    column = np.arange(0, 81.0)[:, None] ** 3
    expected = [(10.0 * k) ** 3 for k in range(N_RANGES + 1)]
    assert range_edges(column)[0].tolist() == expected
    mostly_one = np.r_[column, np.full((1000, 1), 27.0)]
    assert range_edges(mostly_one)[0].tolist() == expected


def test_two_values_need_no_ranges():
    assert not range_edges(np.array([[0.0], [1.0], [1.0]])).any()


def test_many_columns_have_no_ranges():
    columns = np.random.default_rng(0).normal(size=(50, MOST_COLUMNS + 1))
    assert range_edges(columns[:, 1:]).any()
    assert not range_edges(columns).any()
    assert encode_ranges(columns, range_edges(columns)).shape == (50, 0)


def test_a_value_has_come_through_the_ranges_below_it():
    edges = np.array([[0.0, 1, 2, 4, 8, 16, 32, 64, 128]])
    encoded = encode_ranges(np.array([[0.0], [1.5], [3.0], [128.0]]), edges)
    assert encoded.tolist() == [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [1, 0.5, 0, 0, 0, 0, 0, 0],
        [1, 1, 0.5, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 1, 1],
    ]


def test_beyond_the_edges_is_at_the_edge():
    edges = range_edges(np.linspace(0, 1, 20)[:, None])
    far, edge = encode_ranges(np.array([[-1e300], [1e300]]), edges), np.array([[0.0], [1.0]])
    assert (far == encode_ranges(edge, edges)).all()


@pytest.mark.parametrize("value", [0.0, -3.5, 1e300])
def test_a_constant_column_says_nothing(value):
    columns = np.column_stack([np.full(12, value), np.arange(12.0)])
    encoded = encode_ranges(columns, range_edges(columns))
    assert not encoded[:, :N_RANGES].any()
    assert encoded[:, N_RANGES:].any()


def test_columns_stand_side_by_side():
    columns = np.random.default_rng(0).normal(size=(50, 2))
    both = encode_ranges(columns, range_edges(columns))
    for j in range(2):
        own = encode_ranges(columns[:, [j]], range_edges(columns[:, [j]]))
        assert np.array_equal(both[:, j * N_RANGES : (j + 1) * N_RANGES], own)


@given(arrays(float, st.tuples(st.integers(1, 30), st.just(1)), elements=st.floats(-1e308, 1e308)))
def test_rises_with_the_column(column):
    encoded = encode_ranges(column, range_edges(column))
    assert ((encoded >= 0) & (encoded <= 1)).all()
    assert (np.diff(encoded[column[:, 0].argsort()], axis=0) >= 0).all()


@pytest.mark.parametrize("cls", REGRESSORS)
def test_edges_are_those_of_the_samples_to_train_on(cls, some_formulas):
    formulas, y = some_formulas
    not_trained_on = np.arange(60) % 3 == 0
    column = np.where(not_trained_on, 1000, np.arange(60) % 7)
    model = tiny(cls).fit(
        pd.DataFrame({"formula": formulas, "load": column}), y, sample_weight=~not_trained_on
    )
    assert model._extra_edges.shape == (1, N_RANGES + 1)
    assert model._extra_edges.max() == 6
    assert model.fit(formulas, y)._extra_edges.shape == (0, N_RANGES + 1)


def test_held_out_samples_have_no_say_in_the_edges(some_formulas):
    formulas, y = some_formulas
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"formula": formulas, "load": rng.normal(size=60)})
    model = tiny_crabnet(n_iter_no_change=1, validation_fraction=0.3).fit(X, y)
    seed = model._draw_seeds()[0]
    _, groups = parse_formulas(formulas).unique()
    kept, held_out = model._hold_out(np.arange(60), y[:, None], groups, seed)
    expected = range_edges(X[["load"]].to_numpy()[kept])
    assert np.array_equal(model._extra_edges, expected)
    assert len(held_out)
