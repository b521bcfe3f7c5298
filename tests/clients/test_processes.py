"""Guests in other people's processes: forked workers, threads, and a process's own settings."""

import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import torch
from tiny import tiny_crabnet

_MODEL = None


def _predict(formulas):
    return _MODEL.predict(formulas)


def _fit(seed):
    return tiny_crabnet(random_state=seed).fit(*_ROWS).predict(_ROWS[0])


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system"
)
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_pool(some_formulas):
    """Two threads of torch in the parent, whose pool a fork does not have."""
    global _MODEL, _ROWS
    _ROWS = X, y = some_formulas
    torch.set_num_threads(2)
    _MODEL = tiny_crabnet(n_estimators=2).fit(X, y)
    expected = _MODEL.predict(X)
    many = np.tile(np.asarray(X, dtype=object), 100)
    torch.ones(2000, 2000) @ torch.ones(2000, 2000)  # torch's threads are there
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        predicted = pool.map(_predict, [many, many[::-1]], timeout=120)
        fitted = pool.map(_fit, [0, 1], timeout=120)
        np.testing.assert_allclose(next(predicted), np.tile(expected, 100), rtol=1e-5)
        np.testing.assert_allclose(next(predicted), np.tile(expected, 100)[::-1], rtol=1e-5)
        np.testing.assert_allclose(next(fitted), _fit(0), rtol=1e-5)


def test_eight_threads(some_formulas):
    X, y = some_formulas
    model = tiny_crabnet(target_transform="yeo-johnson", n_estimators=2).fit(X, y)
    expected = model.predict(X, return_std=True)
    filters, dtype = list(warnings.filters), torch.get_default_dtype()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: model.predict(X, return_std=True), range(40)))
    for result in results:
        np.testing.assert_array_equal(result, expected)
    assert warnings.filters == filters
    assert torch.get_default_dtype() == dtype
