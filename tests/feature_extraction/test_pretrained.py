"""PretrainedTransformer."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from checks import NEVER_YIELDED, names_of_checks
from features import FORMULAS
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.utils.estimator_checks import parametrize_with_checks
from tiny import tiny_crabnet

from crabsk import (
    CompositionTransformer,
    CrabNetRegressor,
    PretrainedTransformer,
    load_model,
    save_model,
)
from crabsk.composition import TableWarning
from crabsk.feature_extraction import _pretrained
from crabsk.pretrained import UnlearntElementWarning, properties, resolve

OUTPUTS = ("properties", "encoding", "both")
TARGETS = np.random.default_rng(0).normal(size=len(FORMULAS))


@pytest.fixture(scope="module")
def model() -> CrabNetRegressor:
    return load_model(resolve("pretrained"))


# --- scikit-learn's own checks


@parametrize_with_checks([PretrainedTransformer(), PretrainedTransformer("encoding")])
def test_sklearn_checks(estimator, check):
    with warnings.catch_warnings():
        # As scikit-learn runs them: the checks provoke warnings about feature names.
        warnings.filterwarnings("ignore", "X (does not have valid|has) feature names")
        # Random numbers are no amounts.
        warnings.simplefilter("ignore", TableWarning)
        # Their first columns stand for helium and neon.
        warnings.simplefilter("ignore", UnlearntElementWarning)
        check(estimator)


def test_no_check_is_left_out():
    """It is checked as the other transformer is."""
    assert names_of_checks(CompositionTransformer()) == names_of_checks(PretrainedTransformer())


@pytest.mark.filterwarnings("ignore::crabsk.composition.TableWarning")
@pytest.mark.filterwarnings("ignore::crabsk.pretrained.UnlearntElementWarning")
@pytest.mark.parametrize(
    "check",
    NEVER_YIELDED,
    ids=lambda f: f.__name__,
)
def test_checks_never_yielded(check):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X (does not have valid|has) feature names")
        check("PretrainedTransformer", PretrainedTransformer())


# --- what it returns


def test_properties_are_the_predictions_of_the_first_shipped_network(model):
    features = PretrainedTransformer().fit_transform(FORMULAS)
    alone = copy.copy(model).set_params(n_estimators=1)
    alone.nets_ = model.nets_[:1]
    np.testing.assert_allclose(features, alone.predict(FORMULAS), rtol=1e-5, atol=1e-6)


def test_encoding_is_that_of_the_shipped_model(model):
    features = PretrainedTransformer("encoding").fit_transform(FORMULAS)
    np.testing.assert_allclose(features, model.encode(FORMULAS), rtol=1e-5, atol=1e-5)


def test_both_are_one_beside_the_other():
    one, other, both = (PretrainedTransformer(output).fit_transform(FORMULAS) for output in OUTPUTS)
    np.testing.assert_array_equal(both, np.hstack([one, other]))


def test_names(model):
    names = PretrainedTransformer("both").fit(["NaCl"]).get_feature_names_out().tolist()
    n_encoding = model.encode(["NaCl"]).shape[1]
    assert names == [*properties().index, *(f"encoding_{k}" for k in range(n_encoding))]


@pytest.mark.parametrize("output", OUTPUTS)
def test_columns_beside_the_formulas_stay(output):
    X = pd.DataFrame({"T": [300.0, 400.0], "formula": ["NaCl", "KCl"]})
    transformer = PretrainedTransformer(output).set_output(transform="pandas").fit(X)
    features = transformer.transform(X)
    assert features["T"].tolist() == [300, 400]
    assert features.columns[-1] == "T"
    alone = PretrainedTransformer(output).fit_transform(["NaCl", "KCl"])
    np.testing.assert_array_equal(features.drop(columns="T"), alone)


def test_amounts_and_formulas_are_the_same():
    amounts = pd.DataFrame({"Na": [1.0, 0.0], "K": [0.0, 2.0], "Cl": [1.0, 2.0]})
    np.testing.assert_array_equal(
        PretrainedTransformer().fit_transform(amounts),
        PretrainedTransformer().fit_transform(["NaCl", "KCl"]),
    )


def test_composition_of_nothing_has_zeros():
    amounts = np.zeros((2, 20))
    amounts[0, [10, 16]] = 1
    features = PretrainedTransformer("both").fit_transform(amounts)
    assert features[0].any()
    assert not features[1].any()


def test_long_tables_are_read_in_pieces(monkeypatch):
    whole = PretrainedTransformer().fit_transform(FORMULAS)
    monkeypatch.setattr(_pretrained, "_CHUNK", 7)
    # Rounding depends on which compositions share a batch.
    pieces = PretrainedTransformer().fit_transform(FORMULAS)
    np.testing.assert_allclose(pieces, whole, rtol=1e-4, atol=1e-5)


def test_element_that_was_not_learnt():
    transformer = PretrainedTransformer().fit(["NaCl"])
    with pytest.warns(UnlearntElementWarning, match="X holds Po, Og, "):
        features = transformer.transform(["NaCl", "PoO2", "OgF4"])
    assert np.isfinite(features).all()


# --- in scikit-learn


@pytest.mark.parametrize("output", OUTPUTS)
def test_beside_magpie_in_a_pipeline(output):
    model = make_pipeline(
        make_union(CompositionTransformer(missing="mean"), PretrainedTransformer(output)),
        ExtraTreesRegressor(5, random_state=0),
    )
    assert model.fit(FORMULAS, TARGETS).predict(FORMULAS[:3]).shape == (3,)


def test_search_over_outputs():
    model = make_pipeline(PretrainedTransformer(), ExtraTreesRegressor(5, random_state=0))
    grid = {"pretrainedtransformer__output": list(OUTPUTS)}
    search = GridSearchCV(model, grid, cv=2).fit(FORMULAS, TARGETS)
    assert len(search.cv_results_["params"]) == 3


def test_pickle_is_small_and_stands_alone():
    transformer = PretrainedTransformer().fit(FORMULAS)
    text = pickle.dumps(transformer)
    assert len(text) < 10_000
    np.testing.assert_array_equal(
        pickle.loads(text).transform(FORMULAS), transformer.transform(FORMULAS)
    )


def test_clone_is_unfitted():
    assert not hasattr(clone(PretrainedTransformer().fit(FORMULAS)), "weights_")


def test_a_column_that_is_called_like_a_feature():
    X = pd.DataFrame({"formula": ["NaCl", "KCl"], "band_gap_mp_eV": [5.0, 4.9]})
    with pytest.raises(ValueError, match="more than one output feature would be called 'band_gap"):
        PretrainedTransformer().fit(X)


def test_an_ordinary_model_file(some_formulas, tmp_path):
    save_model(tiny_crabnet().fit(*some_formulas), tmp_path / "own.crabsk")
    with pytest.raises(ValueError, match=r"make_pretrained\.py made, with the \.npz beside it"):
        PretrainedTransformer(weights=tmp_path / "own.crabsk").fit(["NaCl"])


def test_a_later_version_reads_them_in_silence(monkeypatch):
    monkeypatch.setattr("crabsk.neural_network._saving.__version__", "17.0")
    _pretrained._model.cache_clear()
    assert len(PretrainedTransformer().fit_transform(["NaCl"])) == 1


def test_unknown_weights():
    with pytest.raises(ValueError, match="no weights 'best'"):
        PretrainedTransformer(weights="best").fit(["NaCl"])
