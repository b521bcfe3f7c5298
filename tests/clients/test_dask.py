"""Searches and predictions on Dask's worker processes, as docs/scaling.md has them."""

import os
import signal
import time

import dask
import dask.dataframe as dd
import joblib
import numpy as np
import pandas as pd
import pytest
from dask.distributed import Client
from sklearn.model_selection import GridSearchCV
from tiny import tiny_crabnet

from crabsk.discovery import enumerate_compositions, screen, screen_parquet

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def client():
    # A port of its own, because these tests may run in two processes at once.
    with Client(n_workers=2, threads_per_worker=1, dashboard_address=":0") as client:
        yield client


@pytest.fixture
def model(formation_enthalpy):
    X, y = formation_enthalpy
    return tiny_crabnet().fit(X[:200], y[:200])


@pytest.fixture
def candidates(formation_enthalpy, tmp_path):
    """A Dask frame of four partitions, each a file."""
    X = np.asarray(formation_enthalpy[0][:400], dtype=object)
    for k in range(4):
        rows = np.arange(k, len(X), 4)
        part = pd.DataFrame({"id": rows, "formula": X[rows]})
        (tmp_path / "candidates").mkdir(exist_ok=True)
        part.to_parquet(tmp_path / "candidates" / f"{k}.parquet")
    return dd.read_parquet(tmp_path / "candidates")


def test_a_search_gives_the_scores_of_one_machine(client, formation_enthalpy):
    X, y = (part[:200] for part in formation_enthalpy)
    grid = {"embedding": ["mat2vec", "onehot"]}
    here = GridSearchCV(tiny_crabnet(), grid, cv=3).fit(X, y)
    with joblib.parallel_config(backend="dask", scatter=[X, y]):
        there = GridSearchCV(tiny_crabnet(), grid, cv=3).fit(X, y)
    scores = (search.cv_results_["mean_test_score"] for search in (here, there))
    np.testing.assert_allclose(*scores, atol=1e-5)
    np.testing.assert_allclose(here.predict(X), there.predict(X), atol=1e-5)


def test_a_killed_worker_loses_no_row(client, model, candidates, tmp_path):
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    begun.mkdir()

    def predict(part, model):
        (begun / str(os.getpid())).touch()
        while not go_on.exists():
            time.sleep(0.05)
        mean, std = model.predict(part["formula"], return_std=True)
        return part.assign(mean=mean, std=std)

    predicted = candidates.map_partitions(
        predict,
        dask.delayed(model),
        meta=candidates._meta.assign(mean=0.0, std=0.0),
    )
    writing = client.compute(predicted.to_parquet(tmp_path / "predicted", compute=False))
    deadline = time.monotonic() + 60
    while not any(begun.iterdir()):
        assert time.monotonic() < deadline, "no worker began"
        time.sleep(0.05)
    os.kill(int(next(begun.iterdir()).name), signal.SIGKILL)
    go_on.touch()
    writing.result(timeout=120)

    rows = pd.read_parquet(tmp_path / "predicted").sort_values("id")
    assert rows["id"].tolist() == list(range(400))
    mean, std = model.predict(rows["formula"].tolist(), return_std=True)
    np.testing.assert_allclose(rows["mean"], mean, atol=1e-6)
    np.testing.assert_allclose(rows["std"], std, atol=1e-6)


def test_a_bad_formula_is_named(client, model):
    frame = dd.from_pandas(pd.DataFrame({"formula": ["NaCl", "Xx2O3"]}), npartitions=1)
    parts = frame["formula"].map_partitions(lambda part: model.predict(part), meta=(None, float))
    with pytest.raises(ValueError, match="Xx2O3"):
        parts.compute()


def test_an_empty_partition(client, model, candidates):
    """The recipe of docs/scaling.md, behind a filter that leaves nothing of three partitions."""

    def predict(part, model):
        if part.empty:
            return part.assign(mean=0.0, std=0.0)
        mean, std = model.predict(part["formula"], return_std=True)
        return part.assign(mean=mean, std=std)

    some = candidates[candidates["id"] % 4 == 1]
    meta = candidates._meta.assign(mean=0.0, std=0.0)
    rows = some.map_partitions(predict, dask.delayed(model), meta=meta).compute()
    assert sorted(rows["id"]) == list(range(1, 400, 4))
    np.testing.assert_allclose(rows["mean"], model.predict(rows["formula"].tolist()), atol=1e-6)


def test_screening_in_parts(client, model, tmp_path):
    candidates = enumerate_compositions(["Li", "Pu", "O"], max_amount=4, charge_neutral=False)
    how = {"goal": "minimize", "best": 0.0, "top": 7}
    found = screen_parquet(model, candidates, tmp_path, part_size=11, **how)
    expected = screen(model, candidates, **how)
    assert found["formula"].tolist() == expected["formula"].tolist()
    np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-3)
    assert len(list(tmp_path.glob("*.parquet"))) == 8
