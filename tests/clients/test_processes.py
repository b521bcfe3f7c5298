"""Guests in other people's processes: threads, and a process's own settings."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from tiny import tiny_crabnet


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
