import contextlib
import io
import warnings
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from features import FORMULAS, TOY, transformed
from hypothesis import given, settings
from hypothesis import strategies as st

from crabsk import _descriptors
from crabsk.composition import ELEMENTS
from crabsk.embeddings import load_embedding
from crabsk.feature_extraction import CompositionTransformer

WHOLE = np.array(ELEMENTS)[~np.isnan(load_embedding("magpie").values).any(axis=1)].tolist()


def test_statistics_by_hand():
    x, f = np.array([4.0, 9.0]), np.array([0.6, 0.4])  # Fe2O3 in the first property
    by_hand = {
        "mean": 6.0,
        "variance": 0.6 * 4 + 0.4 * 9,
        "std": 6**0.5,
        "avg_dev": 0.6 * 2 + 0.4 * 3,
        "min": 4.0,
        "max": 9.0,
        "range": 5.0,
        "mode": 4.0,
        "sum": 3 * 4.0 + 2 * 9.0,
        "geometric_mean": np.prod(x**f),
        "harmonic_mean": 1 / (0.6 / 4 + 0.4 / 9),
    }
    features = transformed(["Fe2O3"], embedding=TOY, stats=list(by_hand))
    np.testing.assert_allclose(features[0, ::2], list(by_hand.values()), rtol=1e-14)


def test_equal_values_do_not_deviate():
    """Not even by a rounding error, on which a tree could split."""
    table = {symbol: [0.1, 1 / 3, 1e6 / 7] for symbol in ELEMENTS}
    features = transformed(FORMULAS, embedding=table, stats=["std", "variance", "avg_dev", "range"])
    assert (features == 0).all()
    assert (transformed(FORMULAS, embedding=table, stats="mean") == table["H"]).all()


def test_mode_of_ties():
    features = transformed(
        ["H3FeO3", {"Fe": 0.1 + 0.2, "O": 0.3}, "FeO"], embedding=TOY, stats="mode"
    )
    np.testing.assert_array_equal(features, [[1, 0], [4, 2], [4, 2]])


def test_means_over_zero():
    features = transformed(["H2O"], embedding=TOY, stats=["geometric_mean", "harmonic_mean"])
    np.testing.assert_allclose(features[0], [4 ** (1 / 3), 0, 1 / (2 / 3 + 1 / 12), 0])


PEERS_STATS = {
    "mean": "mean",
    "variance": "variance",
    "min": "minpool",
    "max": "maxpool",
    "range": "range",
    "sum": "sum",
    "geometric_mean": "geometric_mean",
    "harmonic_mean": "harmonic_mean",
}


@pytest.mark.parametrize(
    ("name", "stat"),
    [
        *[(name, stat) for name in ("magpie", "atomic") for stat in PEERS_STATS],
        # Has negative values: the two other means are NaN there and an error here.
        *[("mat2vec", stat) for stat in PEERS_STATS if not stat.endswith("_mean")],
    ],
)
def test_equals_elementembeddings(peer, name, stat):
    embedding = peer.core.Embedding.load_data(name)
    with np.errstate(divide="ignore"):
        expected = [
            peer.composition.CompositionalEmbedding(formula, embedding).feature_vector(
                PEERS_STATS[stat]
            )
            for formula in FORMULAS
        ]
    features = transformed(FORMULAS, embedding=name, stats=stat)
    np.testing.assert_allclose(features, expected, rtol=1e-9, atol=1e-10)


def test_equals_cbfv():
    frame = pd.DataFrame({"formula": FORMULAS, "target": 0.0})
    with (
        # Of pkg_resources, of pandas about what is on its way out, of a file left open.
        warnings.catch_warnings(action="ignore"),
        pd.option_context("future.infer_string", False),  # CBFV knows no others
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        from CBFV.composition import generate_features

        expected, _, formulas, skipped = generate_features(frame, elem_prop="magpie", sum_feat=True)
    assert formulas.tolist() == FORMULAS
    assert not skipped
    with (files("CBFV") / "element_properties" / "magpie.csv").open() as file:
        table = pd.read_csv(file, index_col="element")
    stats = ["sum", "mean", "avg_dev", "range", "max", "min", "mode"]
    transformer = CompositionTransformer(embedding=table, stats=stats).set_output(
        transform="pandas"
    )
    features = transformer.fit_transform(FORMULAS)
    np.testing.assert_allclose(features, expected, rtol=1e-9, atol=1e-10)
    assert [name.replace("custom_", "") for name in features] == [
        name.replace("avg_", "mean_").replace("dev_", "avg_dev_") for name in expected
    ]


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.sampled_from(WHOLE), st.integers(1, 50), min_size=1, max_size=8),
    st.integers(2, 20),
)
def test_size_of_the_formula_unit_does_not_matter(composition, factor):
    larger = {symbol: factor * n for symbol, n in reversed(composition.items())}
    features = transformed([composition, larger])
    np.testing.assert_array_equal(features[0], features[1])
    amounts = transformed([composition, larger], stats=["sum"])
    np.testing.assert_allclose(amounts[0] * factor, amounts[1], rtol=1e-12)


def test_rows_do_not_depend_on_each_other():
    transformer = CompositionTransformer().fit(FORMULAS)
    together = transformer.transform(FORMULAS)
    order = np.random.default_rng(1).permutation(len(FORMULAS))
    np.testing.assert_array_equal(
        transformer.transform([FORMULAS[i] for i in order]), together[order]
    )
    np.testing.assert_array_equal(transformer.transform(FORMULAS[:1]), together[:1])


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("block_size", [1, 1000])
def test_blocks_and_threads_change_nothing(monkeypatch, n_jobs, block_size):
    stats = ["mean", "std", "mode", "amount"]
    expected = transformed(FORMULAS[:60], stats=stats)
    monkeypatch.setattr(_descriptors, "_BLOCK_SIZE", block_size)
    np.testing.assert_array_equal(transformed(FORMULAS[:60], stats=stats, n_jobs=n_jobs), expected)
