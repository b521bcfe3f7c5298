"""scikit-learn's own callbacks, from release 1.9 on."""

import io
from contextlib import redirect_stdout

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tiny import CLASSIFIERS, REGRESSORS, tiny, tiny_crabnet

callback = pytest.importorskip("sklearn.callback")


class Record:
    """Notes what it is told, and what the fitted estimator predicts after each epoch."""

    def __init__(self, stop_after=np.inf):
        self.stop_after = stop_after
        self.begun, self.ended, self.predicted = [], [], []
        self.set_up = self.torn_down = 0

    def setup(self, estimator, context):
        self.set_up += 1

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        self.ended.append(context.task_name)
        self.predicted.append(fitted_estimator.predict(X))
        return len(self.ended) >= self.stop_after

    def teardown(self, estimator, context):
        self.torn_down += 1


@pytest.mark.parametrize("cls", [*REGRESSORS, *CLASSIFIERS])
def test_every_epoch_of_every_member_is_a_task(cls, some_formulas):
    X, y = some_formulas
    y = y > -0.5 if cls in CLASSIFIERS else y
    record = Record()
    model = tiny(cls, n_estimators=2, max_epochs=4).set_callbacks(record).fit(X, y)
    assert record.begun == ["fit", *8 * ["epoch"]]
    assert record.ended == [*8 * ["epoch"], "fit"]
    assert (record.set_up, record.torn_down) == (1, 1)
    assert np.array_equal(record.predicted[-1], model.predict(X)), "that of the ensemble"
    plain = tiny(cls, n_estimators=2, max_epochs=4).fit(X, y)
    assert np.array_equal(model.predict(X), plain.predict(X)), "nothing is disturbed"


def test_a_member_is_scored_as_it_will_predict(some_formulas):
    X, y = some_formulas
    record = Record()
    model = tiny_crabnet(max_epochs=3).set_callbacks(record).fit(X, y)
    epochs = record.predicted[:3]
    assert not np.array_equal(epochs[0], epochs[1])
    assert np.array_equal(epochs[2], model.predict(X))


def test_a_callback_can_stop_a_member(some_formulas):
    record = Record(stop_after=2)
    model = tiny_crabnet(max_epochs=50).set_callbacks(record).fit(*some_formulas)
    assert model.n_iter_ == 2


def test_scoring_monitor(some_formulas):
    X, y = some_formulas
    monitor = callback.ScoringMonitor(scoring="neg_mean_absolute_error")
    model = tiny_crabnet(max_epochs=10, learning_rate=1e-2).set_callbacks(monitor).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    scores = [row["neg_mean_absolute_error"] for row in rows]
    assert len(scores) == 10
    assert scores[-1] > scores[0]
    assert scores[-1] == pytest.approx(-np.abs(model.predict(X) - y).mean())


def test_it_is_told_through_a_pipeline_and_a_search(some_formulas):
    X, y = some_formulas
    record = Record()
    pipeline = make_pipeline(FunctionTransformer(), tiny_crabnet().set_callbacks(record))
    pipeline.fit(X, y)
    assert record.ended.count("epoch") == 3
    search = GridSearchCV(clone(pipeline), {"crabnetregressor__d_model": [8, 16]}, cv=2)
    search.fit(X, y)
    assert record.ended.count("epoch") == 3 + 3 * 5, "four fits of the search, and the last"


def test_progress_bar(some_formulas):
    pytest.importorskip("rich")
    shown = io.StringIO()
    with redirect_stdout(shown):
        tiny_crabnet().set_callbacks(callback.ProgressBar()).fit(*some_formulas)
    assert "CrabNetRegressor - fit" in shown.getvalue()
    assert "100%" in shown.getvalue()
