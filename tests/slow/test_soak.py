"""Hundreds of fits and predictions in one process, and ten million formulas."""

import gc
import os
import resource
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask.distributed import Client
from tiny import tiny_crabnet

from crabsk import CrabNetRegressor

pytestmark = pytest.mark.slow

N_FORMULAS = 10_000_000


def resident_mib():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_memory_of_500_fits_is_flat(some_formulas, record_property):
    X, y = some_formulas
    for _ in range(50):
        tiny_crabnet(max_epochs=2).fit(X, y).predict(X)
    gc.collect()
    before, threads = resident_mib(), threading.active_count()
    curve = []
    for seed in range(500):
        tiny_crabnet(max_epochs=2, random_state=seed).fit(X, y).predict(X, return_std=True)
        if seed % 100 == 99:
            gc.collect()
            curve.append(round(resident_mib() - before, 1))
    record_property("MiB more after each 100 fits", curve)
    assert curve[-1] < 40
    assert threading.active_count() <= threads


def test_predictions_from_eight_threads(formation_enthalpy):
    X, y = formation_enthalpy
    model = tiny_crabnet(n_estimators=2, dropout=0.1).fit(X, y)
    parts = np.array_split(X, 64)
    draws = {"return_std": True, "mc_dropout": 3}
    expected = [model.predict(part, **draws) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda part: model.predict(part, **draws), parts))
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)


def mixtures(formulas):
    """Yield mixtures of two of the formulas, each different as a text."""
    for amount in range(1, 10):
        for shift in range(1, len(formulas)):
            for k, formula in enumerate(formulas):
                yield f"({formula}){amount}({formulas[k - shift]}){10 - amount}"


@pytest.fixture(scope="module")
def fast(formation_enthalpy):
    return CrabNetRegressor.from_preset("fast", max_epochs=1, random_state=0).fit(
        *formation_enthalpy
    )


def test_ten_million_formulas(fast, formation_enthalpy, record_property):
    """Beside the list of formulas and the result, memory stays as it was."""
    formulas = list(islice(mixtures(formation_enthalpy[0]), N_FORMULAS))
    fast.predict(formulas[:200_000])
    gc.collect()
    before = resident_mib()
    start = time.perf_counter()
    predicted = fast.predict(formulas)
    record_property("seconds", round(time.perf_counter() - start))
    record_property("MiB more than at the start", round(peak_mib() - before))
    assert np.isfinite(predicted).all()
    assert len(predicted) == N_FORMULAS
    assert peak_mib() - before < 500


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning")
def test_ten_million_formulas_through_dask(fast, formation_enthalpy, tmp_path, record_property):
    """One of two workers is killed when about a third of the parts are written."""
    n_parts = 100
    rows = N_FORMULAS // n_parts
    source = mixtures(formation_enthalpy[0])
    (tmp_path / "candidates").mkdir()
    for k in range(n_parts):
        part = pd.DataFrame(
            {"id": np.arange(k * rows, (k + 1) * rows), "formula": list(islice(source, rows))}
        )
        part.to_parquet(tmp_path / "candidates" / f"{k:03}.parquet")
    pids = tmp_path / "pids"
    pids.mkdir()

    def predict(part, model):
        (pids / str(os.getpid())).touch()
        return part.assign(mean=model.predict(part["formula"]))

    before = most = resident_mib()
    start = time.perf_counter()
    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        candidates = dd.read_parquet(tmp_path / "candidates")
        predicted = candidates.map_partitions(
            predict, dask.delayed(fast), meta=candidates._meta.assign(mean=0.0)
        )
        writing = client.compute(predicted.to_parquet(tmp_path / "predicted", compute=False))
        killed = False
        while not writing.done():
            assert time.perf_counter() - start < 3600, "the workers hang"
            most = max(most, resident_mib())
            time.sleep(0.1)
            if not killed and len(list((tmp_path / "predicted").glob("*.parquet"))) > n_parts // 3:
                os.kill(int(next(pids.iterdir()).name), signal.SIGKILL)
                killed = True
        writing.result()
    record_property("seconds", round(time.perf_counter() - start))
    record_property("processes", len(list(pids.iterdir())))
    record_property("MiB more in the process that asks", round(most - before))
    result = pd.read_parquet(tmp_path / "predicted", columns=["id", "mean"])
    assert np.array_equal(np.sort(result["id"]), np.arange(N_FORMULAS))
    assert np.isfinite(result["mean"]).all()
    assert len(list(pids.iterdir())) == 3
    some = pd.read_parquet(tmp_path / "predicted", filters=[("id", "<", 1000)])
    np.testing.assert_allclose(some["mean"], fast.predict(some["formula"].tolist()), atol=1e-5)
