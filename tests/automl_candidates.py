"""Candidates of AutoML that fail, sleep, or answer oddly."""

import time

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from crabsk import AutoRegressor, CompositionTransformer


def auto(candidates, **settings):
    return AutoRegressor(candidates, **{"cv": 3, "random_state": 0, **settings})


class Failing(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        raise RuntimeError("no luck")

    def predict(self, X):
        raise AssertionError


class Interrupted(Failing):
    def fit(self, X, y):
        raise KeyboardInterrupt


class Answering(DummyRegressor):
    """Says the same of all samples, in some shape."""

    def __init__(self, shape=(1,), std=1.0, std_shape=(1,)):
        super().__init__()
        self.shape, self.std, self.std_shape = shape, std, std_shape

    def predict(self, X, return_std=False):
        mean = np.ones((len(X), *self.shape))
        return (mean, np.full((len(X), *self.std_shape), self.std)) if return_std else mean


class Pointing(Answering):
    """The same, without standard deviations."""

    def predict(self, X):
        return super().predict(X)


class Sleeping(DummyRegressor):
    def fit(self, X, y):
        time.sleep(0.4)
        return super().fit(X, y)


def on_amounts():
    return make_pipeline(CompositionTransformer(stats="amount"), Ridge())
