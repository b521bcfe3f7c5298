"""A trace of an element changes next to nothing, and is named where nothing taught it."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Composition
from tiny import REGRESSORS, tiny, tiny_crabnet

from crabsk import CrabNetRegressor, load_model, save_model
from crabsk.composition import ELEMENTS
from crabsk.neural_network import TraceWarning

STEELS = Path(__file__).parents[3] / "shared" / "data" / "matbench" / "steels.csv.gz"


@pytest.fixture(scope="module")
def fitted(formation_enthalpy):
    X, y = formation_enthalpy
    return CrabNetRegressor.from_preset("fast", max_epochs=20, random_state=0).fit(X[::4], y[::4])


@pytest.mark.filterwarnings("ignore::crabsk.neural_network.TraceWarning")
@pytest.mark.parametrize("z", range(1, 119))
def test_a_trace_of_any_element_changes_nothing(fitted, formation_enthalpy, z):
    _, y = formation_enthalpy
    hosts = [{"Fe": 0.5, "Al": 0.5}, {"Mg": 0.5, "O": 0.5}, {"Si": 0.25, "C": 0.25, "O": 0.5}]
    doped = [{**host, ELEMENTS[z - 1]: 1e-9} for host in hosts if ELEMENTS[z - 1] not in host]
    clean = [host for host in hosts if ELEMENTS[z - 1] not in host]
    change = np.abs(fitted.predict(doped) - fitted.predict(clean))
    assert change.max() < 1e-3 * y.std()


@pytest.mark.filterwarnings("ignore::crabsk.neural_network.TraceWarning")
@pytest.mark.skipif(not STEELS.exists(), reason="the data sets are not at hand")
@pytest.mark.slow
def test_a_trace_of_any_element_changes_no_steel():
    table = pd.read_csv(STEELS, keep_default_na=False)
    X, y = table["formula"].to_numpy(object), table["target"].to_numpy()
    model = CrabNetRegressor.from_preset("fast", max_epochs=20, random_state=0).fit(X, y)
    some = [dict(Composition(formula).as_dict()) for formula in X[::20]]
    clean, doped = [], []
    for symbol in ELEMENTS:
        hosts = [steel for steel in some if symbol not in steel]
        clean += hosts
        doped += [{**steel, symbol: 1e-9 * sum(steel.values())} for steel in hosts]
    change = np.abs(model.predict(doped) - model.predict(clean))
    assert change.max() < 1e-3 * y.std()


@pytest.mark.filterwarnings("ignore::crabsk.neural_network.TraceWarning")
def test_predictions_have_no_jumps_along_a_line(fitted, formation_enthalpy):
    _, y = formation_enthalpy
    x = np.concatenate([[0], np.logspace(-12, -2, 60), np.linspace(0.011, 0.5, 400)])
    line = fitted.predict([{"Ni": 1 - amount, "Al": amount} for amount in x])
    assert np.abs(np.diff(line)).max() < 0.02 * y.std()


@pytest.mark.slow
def test_dopants_count():
    """A network learns what some permille of a dopant do, and knows it of hosts without it."""
    hosts = ["PbTe", "SnTe", "GeTe", "PbSe", "SnSe", "GeSe", "PbS", "SnS"]
    effects = {"Na": 1.0, "I": -1.0, "Ag": 0.5}
    doped = [(0.002, 0.5), (0.004, 0.75), (0.008, 1.0)]
    formulas, y = [], []
    for host in hosts:
        formulas.append(host)
        y.append(0.0)
        for dopant, effect in effects.items():
            formulas += [f"{host}{dopant}{amount}" for amount, _ in doped]
            y += [effect * share for _, share in doped]
    formulas, y = np.array(formulas), np.array(y)
    train = np.arange(80) < 60
    errors = []
    for seed in range(3):  # now and then one fit does not find a dopant
        model = CrabNetRegressor.from_preset("fast", cbfv=None, random_state=seed)
        errors.append(np.abs(model.fit(formulas[train], y[train]).predict(formulas) - y))
    error = np.mean(errors, axis=0)
    # The mean of all labels would miss by 0.54 on average.
    assert error[train].mean() < 0.12
    assert error[~train].mean() < 0.27


@pytest.mark.parametrize("cls", REGRESSORS)
def test_a_trace_below_all_in_training_is_named(cls, some_formulas):
    X, y = some_formulas
    model = tiny(cls).fit([*X, "Al0.9Ni0.1"], [*y, 0.0])
    with pytest.warns(
        TraceWarning, match=r"^2 composition\(s\).* fraction of N in row 1 is 0.001, and"
    ):
        model.predict(["NaCl", "Al0.999N0.001", {"Fe": 0.998, "C": 1e-3, "N": 1e-3}][:3])


def test_fractions_like_those_in_training_are_not_named(some_formulas):
    X, y = some_formulas
    model = tiny_crabnet().fit([*X, "Al0.99Ni0.01"], [*y, 0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error", TraceWarning)
        model.predict(["Al0.995Ni0.005", "NaCl"])


def test_what_is_not_trained_on_is_not_among_the_least(some_formulas):
    X, y = some_formulas
    weights = np.r_[np.ones(len(X)), 0]
    model = tiny_crabnet().fit([*X, "Al0.999Ni0.001"], [*y, 0.0], sample_weight=weights)
    with pytest.warns(TraceWarning, match="fraction of Ni in row 0 is 0.001"):
        model.predict(["Al0.999Ni0.001"])


def test_a_saved_model_names_them(some_formulas, tmp_path):
    save_model(tiny_crabnet().fit(*some_formulas), tmp_path / "model.crabsk")
    with pytest.warns(TraceWarning, match="fraction of B in row 0 is 1e-05"):
        load_model(tmp_path / "model.crabsk").predict([{"Fe": 1, "B": 1e-5}])
