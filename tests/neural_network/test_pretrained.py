"""Networks that start from the weights that ship with the package."""

import copy

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from crabsk import CrabNetClassifier, CrabNetRegressor, load_model, save_model
from crabsk.pretrained import resolve
from crabsk.pretrained._weights import LATEST

QUICK = {"init_from": "pretrained", "max_epochs": 1, "n_estimators": 2, "random_state": 0}
# Formation enthalpies are a property that the weights have learnt.
pytestmark = pytest.mark.filterwarnings("ignore::crabsk.pretrained.KnownTargetWarning")


@pytest.fixture(scope="module")
def shipped():
    return load_model(resolve("pretrained"))


@pytest.mark.parametrize("cls", [CrabNetRegressor, CrabNetClassifier])
def test_preset(cls, some_formulas):
    X, y = some_formulas
    y = y if cls is CrabNetRegressor else y > np.median(y)
    model = cls.from_preset("pretrained", max_epochs=1, n_estimators=1)
    assert model.init_from == LATEST
    assert model.fit(X, y).predict(X).shape == (60,)


def test_it_starts_from_the_shipped_networks(shipped, some_formulas):
    X, y = some_formulas
    model = CrabNetRegressor(**QUICK, freeze=1).fit(X, y)
    for k in range(2):
        given = shipped.encode(X, member=k % len(shipped.nets_))
        np.testing.assert_array_equal(model.encode(X, member=k), given)


@pytest.mark.slow
def test_it_knows_formation_enthalpies(formation_enthalpy):
    """Fifty labels are enough where nothing is known to less: the reason for all this."""
    X, y = formation_enthalpy
    order = np.random.default_rng(0).permutation(len(X))
    train, test = order[:50], order[50:450]
    known, nothing = (
        CrabNetRegressor.from_preset(name, n_estimators=1, random_state=0).fit(X[train], y[train])
        for name in ("pretrained", "fast")
    )
    errors = [np.abs(model.predict(X[test]) - y[test]).mean() for model in (known, nothing)]
    assert errors[0] < 0.7 * errors[1]


def test_an_unknown_name(some_formulas):
    with pytest.raises(
        FileNotFoundError, match=r"'pretraned': there is no such file.*pretrained-1"
    ):
        CrabNetRegressor(**QUICK | {"init_from": "pretraned"}).fit(*some_formulas)


@pytest.mark.parametrize(
    ("init_from", "rate"), [("pretrained", 0.004 * (100 / 4000) ** (1 / 3)), (None, 0.002)]
)
def test_auto_rate(init_from, rate, some_formulas):
    X, y = some_formulas
    model = CrabNetRegressor(
        init_from=init_from, learning_rate="auto", max_epochs=5, n_estimators=1, random_state=0
    ).fit(X, y)
    # A fifth of the way is the peak.
    assert model.history_[0][0]["learning_rate"] == pytest.approx(rate, rel=0.01)


def test_smaller_and_more_steps_for_fewer_samples():
    """Not by fits, which would take hours."""
    usual = CrabNetRegressor()
    start = CrabNetRegressor.from_preset("pretrained")
    assert [usual._n_epochs(n) for n in (100, 4000, 40_000)] == [60, 60, 30]
    assert [start._n_epochs(n) for n in (100, 1000, 4000, 40_000)] == [40, 26, 16, 8]
    rates = [start._learning_rate(n) for n in (10, 100, 500, 4000, 40_000)]
    np.testing.assert_allclose(rates, [0.00117, 0.00117, 0.002, 0.004, 0.004], rtol=0.01)
    assert start.set_params(max_epochs=3)._n_epochs(4000) == 3


def test_a_checkpoint_tells_schedules_apart(some_formulas, tmp_path):
    """A warm start that adds no members reads nothing of `init_from` but the schedule."""
    X, y = some_formulas
    first = CrabNetRegressor(
        max_epochs=1, learning_rate="auto", n_estimators=1, warm_start=True, random_state=0
    ).fit(X, y)
    ends = [
        copy.deepcopy(first).set_params(checkpoint=tmp_path, init_from=start).fit(X, y).predict(X)
        for start in (None, "pretrained")
    ]
    assert not np.allclose(*ends)


def test_columns_and_several_targets(some_formulas):
    X, y = some_formulas
    frame = pd.DataFrame({"formula": X, "T": np.linspace(300, 900, 60)})
    Y = np.column_stack([y, np.where(np.arange(60) % 3, -y, np.nan)])
    model = CrabNetRegressor(**QUICK).fit(frame, Y)
    assert model.predict(frame).shape == (60, 2)


def test_another_cbfv_is_refused(some_formulas):
    with pytest.raises(ValueError, match=r"cbfv='magpie'.*cbfv=None"):
        CrabNetRegressor(**QUICK, cbfv=None).fit(*some_formulas)


def test_checkpoint_goes_on(some_formulas, tmp_path):
    X, y = some_formulas
    whole = CrabNetRegressor(**QUICK).fit(X, y).predict(X)
    settings = QUICK | {"checkpoint": tmp_path}
    for _ in range(2):
        again = CrabNetRegressor(**settings).fit(X, y).predict(X)
        np.testing.assert_allclose(again, whole, rtol=1e-6)


def test_a_saved_model_stands_alone(some_formulas, tmp_path, monkeypatch):
    X, y = some_formulas
    model = CrabNetRegressor(**QUICK, freeze=1).fit(X, y)
    save_model(model, tmp_path / "model")
    # Neither to load nor to predict are the shipped weights needed.
    monkeypatch.setattr("crabsk.pretrained._weights._FOLDER", tmp_path / "nowhere")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    # What it started from is a name that means the same everywhere.
    assert (loaded.init_from, loaded.freeze) == (LATEST, 1)


def test_names_in_a_grid(some_formulas):
    X, y = some_formulas
    grid = {"init_from": [None, "pretrained"], "max_epochs": [1]}
    model = CrabNetRegressor(n_estimators=1, random_state=0)
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] != scores[1]
    assert clone(search.best_estimator_).init_from == search.best_params_["init_from"]


def test_a_name_that_there_is_not(some_formulas):
    with pytest.raises(OSError, match="pretrained-0"):
        CrabNetRegressor(**QUICK | {"init_from": "pretrained-0"}).fit(*some_formulas)


def test_another_network_is_refused(some_formulas):
    with pytest.raises(ValueError, match="set the parameters of the architecture"):
        CrabNetRegressor(**QUICK, d_model=64).fit(*some_formulas)
