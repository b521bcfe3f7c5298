"""Files of skops: they execute nothing, and of crabsk's classes only the estimator's is in them."""

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import StackingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tiny import CLASSIFIERS, REGRESSORS, tiny, tiny_crabnet

from crabsk import CompositionTransformer

CRABNET = "crabsk.neural_network._crabnet_regression.CrabNetRegressor"


@pytest.fixture
def frame(some_formulas):
    X, _ = some_formulas
    return pd.DataFrame({"formula": X, "T": np.linspace(300.0, 900.0, len(X))})


def through_skops(model, *, foreign=()):
    """Return a model as read from its file, trusting crabsk's own classes and those named."""
    data = skops.io.dumps(model)
    trusted = skops.io.get_untrusted_types(data=data)
    assert {name for name in trusted if not name.startswith("crabsk.")} == set(foreign)
    return skops.io.loads(data, trusted=trusted)


@pytest.mark.parametrize("cls", REGRESSORS)
@pytest.mark.parametrize(
    "settings",
    [
        {"n_estimators": 2},
        {"target_transform": "yeo-johnson"},
        {"target_transform": StandardScaler()},
        {"random_state": np.random.RandomState(0)},
    ],
    ids=["ensemble", "yeo-johnson", "transformer", "RandomState"],
)
def test_regressors(cls, settings, some_formulas):
    X, y = some_formulas
    model = tiny(cls, **settings).fit(X, y)
    again = through_skops(model)
    for expected, got in zip(
        model.predict(X, return_std=True), again.predict(X, return_std=True), strict=True
    ):
        assert np.array_equal(expected, got)
    assert again.history_ == model.history_
    assert np.isfinite(again.fit(X, y).predict(X)).all()


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_classifiers(cls, some_formulas):
    X, y = some_formulas
    model = tiny(cls).fit(X, np.digitize(y, [-1.5, -0.5]))
    assert np.array_equal(through_skops(model).predict_proba(X), model.predict_proba(X))


def test_only_the_estimator_must_be_trusted(some_formulas):
    data = skops.io.dumps(tiny_crabnet().fit(*some_formulas))
    assert skops.io.get_untrusted_types(data=data) == [CRABNET]


def test_a_pipeline_with_a_column_transformer(frame, some_formulas):
    _, y = some_formulas
    columns = make_column_transformer(
        ("passthrough", ["formula"]), (StandardScaler(), ["T"]), verbose_feature_names_out=False
    )
    pipeline = make_pipeline(columns, tiny_crabnet()).fit(frame, y)
    again = through_skops(pipeline)
    assert np.array_equal(again.predict(frame), pipeline.predict(frame))


def test_a_stack_and_a_search(some_formulas):
    X, y = some_formulas
    forest = make_pipeline(CompositionTransformer("magpie"), RidgeCV())
    stack = StackingRegressor([("net", tiny_crabnet()), ("ridge", forest)], RidgeCV(), cv=2)
    again = through_skops(stack.fit(X, y), foreign=["sklearn.utils._bunch.Bunch"])
    assert np.array_equal(again.predict(X), stack.predict(X))
    search = GridSearchCV(tiny_crabnet(), {"d_model": [8, 16]}, cv=2).fit(X, y)
    foreign = [
        "sklearn.metrics._scorer._PassthroughScorer",
        "sklearn.model_selection._split.KFold",
    ]
    assert np.array_equal(through_skops(search, foreign=foreign).predict(X), search.predict(X))


def test_parameters_set_after_the_fit_do_not_spoil_the_file(some_formulas):
    X, y = some_formulas
    model = tiny_crabnet().fit(X, y)
    predicted = model.predict(X)
    model.set_params(d_model=64, n_layers=2, n_experts=2, n_estimators=3)
    again = through_skops(model)
    assert np.array_equal(again.predict(X), predicted)
    assert again.d_model == 64
