"""A fit within a limit of time: less of it, but to the end of its schedule."""

import time

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from tiny import CLASSIFIERS, REGRESSORS, tiny, tiny_crabnet

from crabsk import load_model, save_model
from crabsk.neural_network._time_limit import fit_into


@pytest.mark.parametrize("cls", [*REGRESSORS, *CLASSIFIERS])
def test_a_long_limit_changes_nothing(cls, some_formulas):
    X, y = some_formulas
    y = y > -0.5 if cls in CLASSIFIERS else y
    limited = tiny(cls, n_estimators=2, time_limit=3600.0).fit(X, y)
    plain = tiny(cls, n_estimators=2).fit(X, y)
    assert np.array_equal(limited.predict(X), plain.predict(X))


@pytest.mark.parametrize("settings", [{}, {"n_iter_no_change": 10}, {"precision": "bfloat16"}])
def test_a_short_limit_is_kept(settings, formation_enthalpy):
    """A hundred thousand passes of fifty members would take days."""
    X, y = formation_enthalpy
    model = tiny_crabnet(max_epochs=100_000, n_estimators=50, time_limit=2.0, **settings)
    began = time.monotonic()
    model.fit(X[:500], y[:500])
    assert time.monotonic() - began < 30, "on a busy machine, too"
    assert len(model.nets_) == torch.get_num_threads()
    assert 1 <= model.n_iter_ < 100_000
    losses = [epoch["train_loss"] for epoch in model.history_[0]]
    assert losses[-1] < losses[0]


def test_the_schedule_ends(some_formulas):
    """The learning rate of the last step is that of the end, close to zero."""
    X, y = some_formulas
    rates = []

    class Note(Callback):
        def on_batch_end(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    model = tiny_crabnet(max_epochs=100_000, time_limit=1.0, callbacks=[Note()])
    model.fit(X, y)
    assert model.n_iter_ < 100_000
    assert rates[-1] < 0.01 * max(rates)


def test_no_time_for_one_pass(formation_enthalpy):
    X, y = formation_enthalpy
    model = tiny_crabnet(time_limit=1e-3)
    with pytest.warns(UserWarning, match="too short for one pass over 500 samples"):
        model.fit(X[:500], y[:500])
    assert model.n_iter_ == 1


def test_what_was_saved_is_read(some_formulas, tmp_path):
    X, y = some_formulas
    model = tiny_crabnet(max_epochs=10_000, n_estimators=20, time_limit=2.0).fit(X, y)
    assert len(model.nets_) < 20
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert np.array_equal(again.predict(X), model.predict(X))
    assert again.n_iter_ == model.n_iter_


def test_not_with_a_checkpoint(some_formulas, tmp_path):
    with pytest.raises(ValueError, match="time_limit does not go with checkpoint"):
        tiny_crabnet(time_limit=60.0, checkpoint=tmp_path).fit(*some_formulas)


@pytest.mark.parametrize(
    ("epochs_of_one", "members", "epochs"),
    [
        (1e9, 8, 60),
        (240, 8, 60),
        (239, 8, 59),
        (120, 8, 30),
        (119, 6, 39),
        (60, 4, 30),
        (59, 2, 59),
        (30, 2, 30),
        (7.9, 2, 7),
        (0.9, 2, 0),
        (-3, 2, 0),
    ],
)
def test_what_is_saved_first(epochs_of_one, members, epochs):
    """Eight members, two at a time, in sixty passes."""
    assert fit_into(epochs_of_one, 8, 2, 60) == (members, epochs)
