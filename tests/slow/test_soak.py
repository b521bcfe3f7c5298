"""Hundreds of fits and predictions in one process, and ten million formulas."""

import gc
import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_crabnet

from crabsk import CrabNetRegressor
from crabsk.composition import ELEMENTS

pytestmark = pytest.mark.slow


def resident_mib():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def test_memory_of_500_fits_is_flat(some_formulas):
    X, y = some_formulas
    for _ in range(50):
        tiny_crabnet(max_epochs=2).fit(X, y).predict(X)
    gc.collect()
    before, threads = resident_mib(), threading.active_count()
    for seed in range(500):
        tiny_crabnet(max_epochs=2, random_state=seed).fit(X, y).predict(X, return_std=True)
    gc.collect()
    assert resident_mib() - before < 40
    assert threading.active_count() <= threads


def test_predictions_from_eight_threads(formation_enthalpy):
    X, y = formation_enthalpy
    model = tiny_crabnet(n_estimators=2, dropout=0.1, mc_dropout=3).fit(X, y)
    parts = np.array_split(X, 64)
    expected = [model.predict(part, return_std=True) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda part: model.predict(part, return_std=True), parts))
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)


def varied():
    symbols = ELEMENTS[:80]
    for k in count():
        a, b = symbols[k % 80], symbols[(k // 80) % 80]
        yield f"{a}{1 + k % 7}{b}{1 + (k // 6400) % 97}O{1 + k % 11}"


def test_ten_million_formulas(formation_enthalpy):
    """Beside the list of formulas and the result, memory stays as it was."""
    X, y = formation_enthalpy
    model = CrabNetRegressor.from_preset("fast", max_epochs=1, random_state=0).fit(X, y)
    n = 10_000_000
    formulas = list(islice(varied(), n))
    model.predict(formulas[:200_000])
    gc.collect()
    before = resident_mib()
    predicted = model.predict(formulas)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert np.isfinite(predicted).all()
    assert len(predicted) == n
    assert peak - before < 500
