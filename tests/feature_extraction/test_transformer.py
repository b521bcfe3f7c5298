import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from checks import NEVER_YIELDED, names_of_checks
from features import FORMULAS, TOY, transformed
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import NMF
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from crabsk._descriptors import STATISTICS
from crabsk.composition import ELEMENTS, TableWarning, parse_formulas, read_compositions
from crabsk.embeddings import embedding_names, load_embedding
from crabsk.feature_extraction import CompositionTransformer, _transformer

TARGETS = np.random.default_rng(0).normal(size=len(FORMULAS))


# --- scikit-learn's own checks


@parametrize_with_checks(
    [
        # The checks' matrices have amounts of He, which magpie lacks in part.
        CompositionTransformer(missing="mean"),
        CompositionTransformer(stats="amount"),
        CompositionTransformer(stats=["fraction", "geometric_mean"], missing="mean"),
    ]
)
def test_sklearn_checks(estimator, check):
    with warnings.catch_warnings():
        # As scikit-learn runs them: the checks provoke warnings about feature names.
        warnings.filterwarnings("ignore", "X (does not have valid|has) feature names")
        # Random numbers are no amounts.
        warnings.simplefilter("ignore", TableWarning)
        check(estimator)


def test_no_check_is_left_out():
    """With too narrow tags scikit-learn yields few checks, and a green run proves little."""
    # It transforms matrices that are not negative, too.
    assert names_of_checks(NMF()) <= names_of_checks(CompositionTransformer())


@pytest.mark.filterwarnings("ignore::crabsk.composition.TableWarning")
@pytest.mark.parametrize("stats", ["mean", "amount"])
@pytest.mark.parametrize(
    "check",
    NEVER_YIELDED,
    ids=lambda f: f.__name__,
)
def test_checks_never_yielded(check, stats):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X (does not have valid|has) feature names")
        check("CompositionTransformer", CompositionTransformer(stats=stats, missing="mean"))


# --- tables


def test_list_of_embeddings():
    transformer = CompositionTransformer(embedding=["magpie", "oliynyk", TOY], stats="mean")
    joined = transformer.fit_transform(["FeO", "Fe2O3"])
    parts = [
        transformed(["FeO", "Fe2O3"], embedding=e, stats="mean") for e in ("magpie", "oliynyk", TOY)
    ]
    np.testing.assert_array_equal(joined, np.hstack(parts))
    names = transformer.get_feature_names_out()
    assert names[[0, 22, -1]].tolist() == [
        "magpie_mean_Number",
        "oliynyk_mean_Atomic_Number",
        "custom_mean_1",
    ]


def test_embedding_object(peer):
    embedding = peer.core.Embedding.load_data("magpie")
    np.testing.assert_array_equal(transformed(FORMULAS, embedding=embedding), transformed(FORMULAS))


@pytest.mark.parametrize("when", ["fit", "transform"])
def test_missing_element(when):
    transformer = CompositionTransformer(stats="mean")
    if when == "transform":
        transformer.fit(["Fe2O3"])
    with pytest.raises(ValueError, match=r"'magpie' has no values for Og, in 1 of 2 rows \(row 1"):
        getattr(transformer, when)(["Fe2O3", "OgO"])


def test_fills():
    values = load_embedding("magpie").values
    filled = transformed(["Og", "OgO3"], stats="mean", missing="mean")
    np.testing.assert_allclose(filled[0], np.nanmean(values, axis=0))
    np.testing.assert_allclose(filled[1], 0.25 * np.nanmean(values, axis=0) + 0.75 * values[7])
    filled = transformed(["Og", "OgO3"], stats="mean", missing="zero")
    np.testing.assert_allclose(filled, [np.zeros(22), 0.75 * values[7]])


def test_embedding_is_not_loaded_for_the_element_matrix():
    np.testing.assert_array_equal(
        transformed(["Og"], embedding="magpie", stats="amount"), np.eye(118)[[117]]
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stats": ["mean", "median"]}, r"must name one or more of mean, std, .*, fraction"),
        ({"stats": []}, r"stats=\[\] must name one or more of mean"),
        ({"stats": [["mean"]]}, r"stats=\[\['mean'\]\] must name one or more of mean"),
        ({"stats": ["mean", "mean"]}, "would be called 'magpie_mean_Number', .*22 in all"),
        ({"embedding": []}, r"embedding=\[\] is empty: name at least one table"),
        ({"embedding": "magpi"}, "unknown embedding 'magpi'"),
        ({"embedding": ["mat2vec", "mat2vec"]}, "name each statistic and each embedding once"),
        (
            {"embedding": "xenonpy", "stats": ["mean", "geometric_mean", "harmonic_mean"]},
            "'geometric_mean', 'harmonic_mean' is not defined for negative values, which "
            "embedding 'xenonpy' has in 'electron_affinity', 'gs_energy': choose other stats",
        ),
    ],
)
def test_bad_parameters(settings, message):
    with pytest.raises(ValueError, match=message):
        CompositionTransformer(**settings).fit(["Fe2O3"])


# --- forms of X and of the output


def test_element_matrices():
    amounts = transformed(["Fe2O3", "H2O"], stats="amount")
    by_hand = np.zeros((2, 118))
    by_hand[[0, 0, 1, 1], [25, 7, 0, 7]] = [2, 3, 2, 1]
    np.testing.assert_array_equal(amounts, by_hand)
    both = CompositionTransformer(stats=["fraction", "amount"])
    np.testing.assert_allclose(
        both.fit_transform(["Fe2O3"]), np.hstack([amounts[:1] / 5, amounts[:1]])
    )
    names = both.get_feature_names_out()
    assert names[[0, 117, 118]].tolist() == ["fraction_H", "fraction_Og", "amount_H"]


def test_element_matrix_is_an_input():
    """As from the first step of a pipeline."""
    transformer = CompositionTransformer(stats="amount").set_output(transform="pandas")
    amounts = transformer.fit_transform(FORMULAS)
    assert amounts.columns.tolist() == list(ELEMENTS)
    np.testing.assert_array_equal(
        read_compositions(amounts).amounts, parse_formulas(FORMULAS).amounts
    )
    np.testing.assert_array_equal(transformed(amounts), transformed(FORMULAS))
    np.testing.assert_array_equal(transformed(amounts.to_numpy()), transformed(FORMULAS))


def test_row_of_zeros():
    X = np.array([[1.0, 2.0], [0.0, 0.0]])
    features = transformed(X, stats=list(STATISTICS), missing="mean")
    assert (features[1] == 0).all()
    assert (features[0] != 0).any()


def test_extra_columns_of_a_frame():
    X = pd.DataFrame(
        {"T": [300, 600], "formula": ["Fe2O3", "H2O"], "p": [1.5, 2.5]}, index=["a", "b"]
    )
    transformer = CompositionTransformer(embedding=TOY, stats="max").set_output(transform="pandas")
    features = transformer.fit_transform(X)
    assert features.columns.tolist() == ["custom_max_0", "custom_max_1", "T", "p"]
    assert features.index.tolist() == ["a", "b"]
    np.testing.assert_array_equal(features, [[9, 2, 300, 1.5], [4, 2, 600, 2.5]])
    assert transformer.n_features_in_ == 3
    assert transformer.feature_names_in_.tolist() == ["T", "formula", "p"]
    assert transformer.get_feature_names_out(["T", "formula", "p"])[-1] == "p"

    transformer.set_output(transform="polars")
    features = transformer.fit_transform(pl.from_pandas(X))
    assert isinstance(features, pl.DataFrame)
    assert features.columns == ["custom_max_0", "custom_max_1", "T", "p"]


def test_extra_columns_of_an_array():
    X = np.array([["Fe2O3", 300, 1.5], ["H2O", 600, 2.5]], dtype=object)
    transformer = CompositionTransformer(embedding=TOY, stats="max").fit(X)
    names = transformer.get_feature_names_out()
    assert names.tolist() == ["custom_max_0", "custom_max_1", "x1", "x2"]
    np.testing.assert_array_equal(transformer.transform(X)[:, 2:], [[300, 1.5], [600, 2.5]])


def test_two_columns_of_formulas():
    X = pd.DataFrame({"precursor": ["Fe2O3", "FeO"], "product": ["H2O", "Fe2O3"]})
    with pytest.raises(ValueError, match="'precursor', 'product'"):
        CompositionTransformer().fit(X)
    X["product"] = [1, 2]
    transformer = CompositionTransformer(embedding=TOY, stats="max")
    np.testing.assert_array_equal(transformer.fit_transform(X), [[9, 2, 1], [9, 2, 2]])


def test_extra_column_called_like_a_feature():
    X = pd.DataFrame({"formula": ["Fe2O3"], "Fe": [1.0]})
    with pytest.raises(ValueError, match="more than one output feature would be called 'Fe'"):
        CompositionTransformer(stats="amount").fit(X)


def test_names():
    transformer = CompositionTransformer().fit(FORMULAS)
    names = transformer.get_feature_names_out()
    assert len(set(names)) == 6 * 22
    electronegativity = names.tolist().index("magpie_mean_Electronegativity")
    features = transformer.transform(["NaCl"])
    assert features[0, electronegativity] == pytest.approx((0.93 + 3.16) / 2)
    frame = transformer.set_output(transform="pandas").transform(pd.Series(FORMULAS))
    assert frame.columns.tolist() == names.tolist()
    assert (frame.dtypes == np.float64).all()


def test_names_that_boosted_trees_take():
    """XGBoost refuses [ ] < in a name, LightGBM refuses [ ] { } " , and :."""
    names = []
    for name in embedding_names():
        transformer = CompositionTransformer(name, stats=["mean", "max"], missing="mean")
        names += transformer.fit(["FeO"]).get_feature_names_out().tolist()
    assert len(set(names)) == 2 * sum(load_embedding(n).values.shape[1] for n in embedding_names())
    assert not [name for name in names if set(name) & set('[]<{}",:')]
    assert "oliynyk_mean_Miracle_Radius_pm" in names
    assert "oliynyk_max_specific_heat_(J/g_K)_" in names


def test_names_of_own_features_and_columns():
    table = pd.DataFrame([[1.0, 2.0, 3.0]], index=["Fe"], columns=["radius [pm]", "a<b", "{c:d,e}"])
    X = pd.DataFrame({"formula": ["Fe"], "T [K]": [300.0]})
    names = CompositionTransformer(table, stats="mean").fit(X).get_feature_names_out()
    properties = ["custom_mean_radius pm", "custom_mean_ab", "custom_mean_cde"]
    assert names.tolist() == [*properties, "T [K]"]


def test_features_that_differ_in_characters_left_out():
    table = pd.DataFrame([[1.0, 2.0]], index=["Fe"], columns=["a", "[a]"])
    message = r"called 'custom_mean_a': .* that differ only in the characters \[ \] < { } \" , :$"
    with pytest.raises(ValueError, match=message):
        CompositionTransformer(table, stats="mean").fit(["Fe"])


def test_formulas_are_read_once(monkeypatch):
    calls = []
    validate = _transformer.validate_compositions

    def counting(*args, **kwargs):
        calls.append(args)
        return validate(*args, **kwargs)

    monkeypatch.setattr(_transformer, "validate_compositions", counting)
    together = CompositionTransformer().fit_transform(FORMULAS)
    assert len(calls) == 1
    np.testing.assert_array_equal(
        together, CompositionTransformer().fit(FORMULAS).transform(FORMULAS)
    )


def test_bad_rows_are_refused():
    with pytest.raises(ValueError, match=r"row 1: 'Xx2O3', position 0: unknown element 'Xx'"):
        transformed(["Fe2O3", "Xx2O3"])


# --- within scikit-learn


def test_clone_and_pickle():
    table = pd.DataFrame.from_dict(TOY, orient="index")
    before = table.copy()
    transformer = CompositionTransformer(embedding=table, stats=["mean", "max"])
    expected = transformer.fit_transform(["H2O", "Fe2O3"])
    copies = [clone(transformer).fit(["H2O"]), pickle.loads(pickle.dumps(transformer))]
    for copy in copies:
        np.testing.assert_array_equal(copy.transform(["H2O", "Fe2O3"]), expected)
    assert transformer.embedding is table
    pd.testing.assert_frame_equal(table, before)
    assert transformer.get_params()["embedding"] is table
    assert "CompositionTransformer(embedding=" in repr(transformer)


def test_pipeline_and_grid_search():
    pipeline = make_pipeline(CompositionTransformer(), StandardScaler(), Ridge())
    search = GridSearchCV(
        pipeline,
        {
            "compositiontransformer__embedding": ["megnet16", "magpie", ["magpie", "megnet16"]],
            "compositiontransformer__stats": ["mean", ["mean", "range"]],
        },
        cv=2,
        error_score="raise",
    ).fit(FORMULAS, TARGETS)
    assert len(search.cv_results_["params"]) == 6
    assert search.predict(["Fe2O3", "TiO2"]).shape == (2,)
    names = search.best_estimator_[:-1].get_feature_names_out()
    assert len(names) == search.best_estimator_[-1].n_features_in_


def test_column_transformer():
    X = pd.DataFrame({"formula": FORMULAS, "T": np.arange(len(FORMULAS))})
    for columns in (["formula"], "formula"):
        transformer = ColumnTransformer(
            [("c", CompositionTransformer(), columns)], remainder="passthrough"
        )
        features = transformer.fit_transform(X)
        np.testing.assert_array_equal(features[:, :-1], transformed(FORMULAS))
        np.testing.assert_array_equal(features[:, -1], X["T"])
        names = transformer.get_feature_names_out()
        assert names[0] == "c__magpie_mean_Number"
        assert names[-1] == "remainder__T"


def test_feature_union():
    union = make_union(
        CompositionTransformer(stats="mean"), CompositionTransformer("mat2vec", stats="max")
    )
    assert isinstance(union, FeatureUnion)
    assert union.fit_transform(FORMULAS).shape == (len(FORMULAS), 222)
    assert union.get_feature_names_out()[-1].endswith("__mat2vec_max_199")
