"""The estimator inside scikit-learn's own tools, on formulas."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    RandomForestRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    learning_curve,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from tiny import tiny_crabnet

from crabsk import CompositionTransformer
from crabsk.composition import chemical_system


def test_cross_val_score(some_formulas):
    X, y = some_formulas
    serial = cross_val_score(tiny_crabnet(), X, y, cv=3)
    parallel = cross_val_score(tiny_crabnet(), list(X), y, cv=3, n_jobs=2)
    assert np.isfinite(serial).all()
    np.testing.assert_allclose(parallel, serial, rtol=1e-5)


def test_grouped_by_chemical_system(some_formulas):
    X, y = some_formulas
    scores = cross_val_score(
        tiny_crabnet(), X, y, cv=GroupKFold(3), groups=chemical_system(X), error_score="raise"
    )
    assert np.isfinite(scores).all()


def stripped(X):
    return np.array([x.strip() for x in X], dtype=object)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_in_a_pipeline(some_formulas, n_jobs):
    X, y = some_formulas
    clean = FunctionTransformer(stripped)
    search = GridSearchCV(
        Pipeline([("clean", clean), ("crabnet", tiny_crabnet())]),
        {"crabnet__embedding": ["mat2vec", "magpie"], "crabnet__d_model": [8, 16]},
        cv=2,
        scoring="neg_mean_absolute_error",
        error_score="raise",
        n_jobs=n_jobs,
    )
    search.fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 4
    best = search.best_estimator_["crabnet"]
    assert best.embedding == search.best_params_["crabnet__embedding"]
    assert search.predict([" NaCl "]).shape == (1,)


def test_grid_search_in_processes(some_formulas):
    X, y = some_formulas
    grid = {"embedding": ["mat2vec", "magpie"], "d_model": [8, 16]}
    searches = [
        GridSearchCV(tiny_crabnet(), grid, cv=2, n_jobs=n, error_score="raise").fit(X, y)
        for n in (1, 2)
    ]
    one, two = (search.cv_results_["mean_test_score"] for search in searches)
    np.testing.assert_allclose(one, two, rtol=1e-5)


def test_last_step_after_a_transformer(some_formulas):
    X, y = some_formulas
    pipeline = make_pipeline(CompositionTransformer(stats="amount"), tiny_crabnet())
    assert pipeline.fit(X, y).predict(X).shape == (60,)


def test_halving_search(some_formulas):
    X, y = some_formulas
    search = HalvingGridSearchCV(
        tiny_crabnet(),
        {"d_model": [8, 16]},
        resource="max_epochs",
        min_resources=1,
        max_resources=4,
        cv=2,
        error_score="raise",
    )
    assert search.fit(X, y).best_params_["max_epochs"] >= 1


def test_transformed_target(some_formulas):
    X, y = some_formulas
    model = TransformedTargetRegressor(tiny_crabnet(), transformer=StandardScaler())
    assert np.isfinite(model.fit(X, y).predict(X)).all()


def test_stacking_and_voting(some_formulas):
    X, y = some_formulas
    forest = make_pipeline(CompositionTransformer(), RandomForestRegressor(5, random_state=0))
    members = [("crabnet", tiny_crabnet()), ("forest", forest)]
    stack = StackingRegressor(members, RidgeCV(), cv=3, n_jobs=2).fit(X, y)
    assert stack.predict(X).shape == (60,)
    assert VotingRegressor(members).fit(X, y).predict(list(X)).shape == (60,)


@pytest.fixture
def frame(some_formulas):
    X, y = some_formulas
    temperature = np.random.default_rng(0).uniform(200, 900, 60)
    return pd.DataFrame({"formula": X, "temperature": temperature}), y + temperature / 300


@pytest.mark.parametrize("columns", [["formula"], ["formula", "temperature"]])
@pytest.mark.parametrize(
    "meta",
    [
        lambda base: BaggingRegressor(base, n_estimators=2, random_state=0, n_jobs=2),
        lambda base: AdaBoostRegressor(base, n_estimators=2, random_state=0),
    ],
    ids=["bagging", "adaboost"],
)
def test_meta_estimators_on_frames(frame, columns, meta):
    X, y = frame
    model = meta(tiny_crabnet()).fit(X[columns], y)
    assert np.isfinite(model.predict(X[columns])).all()


def test_permutation_importance(frame):
    X, y = frame
    model = tiny_crabnet(max_epochs=60, d_model=32).fit(X, y)
    importance = permutation_importance(model, X, y, n_repeats=3, random_state=0, n_jobs=2)
    assert (importance.importances_mean > 0).all()


def test_cross_val_predict_and_learning_curve(some_formulas):
    X, y = some_formulas
    mean = cross_val_predict(tiny_crabnet(), X, y, cv=KFold(3), n_jobs=2)
    assert mean.shape == (60,)
    sizes, train, test = learning_curve(
        tiny_crabnet(), X, y, cv=2, train_sizes=[0.5, 1.0], n_jobs=2, error_score="raise"
    )
    assert sizes.tolist() == [15, 30]
    assert np.isfinite(train).all()
    assert np.isfinite(test).all()
