"""Attention during training: it is recorded, and nothing else happens."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from tiny import CLASSIFIERS, REGRESSORS, tiny, tiny_crabnet

from crabsk.inspection import AttentionRecorder, attention_weights, element_contributions

WATCHED = ["Al2O3", {"Na": 1, "Cl": 1}, "LiNaKO2"]
SETTINGS = {"n_layers": 2, "n_estimators": 2, "dropout": 0.1, "max_epochs": 4}


@pytest.fixture(scope="module")
def watched(learnt):
    X, y = learnt
    return tiny_crabnet(callbacks=[AttentionRecorder(WATCHED)], **SETTINGS).fit(X, y)


def test_one_that_no_estimator_has_copied():
    with pytest.raises(AttributeError, match="which a fitted estimator has in callbacks_"):
        AttentionRecorder(WATCHED).animate()


@pytest.mark.parametrize("formula", [3, "NaCl"])
def test_a_formula_that_is_not_recorded(formula, watched):
    with pytest.raises(ValueError, match="but 3 are recorded"):
        watched.callbacks_[0][0].animate(formula)


def test_training_is_undisturbed(watched, learnt):
    X, y = learnt
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    valid = X[:20], y[:20]
    for settings in ({}, {"n_iter_no_change": 10}):
        plain, recorded = (
            tiny_crabnet(callbacks=callbacks, **SETTINGS, **settings).fit(
                X, y, X_val=valid[0], y_val=valid[1]
            )
            for callbacks in (None, [AttentionRecorder(WATCHED)])
        )
        for one, other in zip(plain.nets_, recorded.nets_, strict=True):
            for a, b in zip(one.module_.parameters(), other.module_.parameters(), strict=True):
                assert torch.equal(a, b)
        losses = (
            [{k: v for k, v in epoch.items() if k != "dur"} for epoch in model.history_[0]]
            for model in (plain, recorded)
        )
        assert next(losses) == next(losses)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[1].tolist()  # noqa: NPY002


def test_shapes(watched):
    for (recorder,) in watched.callbacks_:
        assert recorder.symbols_ == [("O", "Al"), ("Na", "Cl"), ("Li", "O", "Na", "K")]
        assert [a.shape for a in recorder.attention_] == [(4, 2, 4, n, n) for n in (2, 2, 4)]
        assert [c.shape for c in recorder.contributions_] == [(4, n, 1) for n in (2, 2, 4)]


def test_last_epoch_is_the_fitted_network(watched):
    for k, (recorder,) in enumerate(watched.callbacks_):
        for entry in attention_weights(watched, WATCHED, member=k):
            np.testing.assert_allclose(recorder.attention_[entry.row][-1], entry.weights, atol=1e-6)
    scaled = np.mean([rec.contributions_[0][-1] for (rec,) in watched.callbacks_], axis=0)[:, 0]
    scaler = watched._scaler
    np.testing.assert_allclose(
        scaled * scaler.scale_ + scaler.mean_,
        element_contributions(watched, ["Al2O3"])["contribution"],
        rtol=1e-5,
    )


def test_epochs_and_members_differ(watched):
    one, other = (recorder.attention_[0] for (recorder,) in watched.callbacks_)
    assert not np.allclose(one, other)
    assert not np.allclose(one[0], one[-1])


def test_clone_and_pickle(watched):
    recorder = AttentionRecorder(WATCHED)
    assert clone(recorder).formulas == WATCHED
    copy = pickle.loads(pickle.dumps(watched)).callbacks_[0][0]
    assert np.array_equal(copy.attention_[0], watched.callbacks_[0][0].attention_[0])


def test_another_fit_starts_afresh(learnt):
    X, y = learnt
    model = tiny_crabnet(callbacks=[AttentionRecorder(WATCHED)]).fit(X, y).fit(X, y)
    assert len(model.callbacks_[0][0].attention_[0]) == 3


def test_extra_features_at_their_mean(learnt):
    formulas, y = learnt
    X = pd.DataFrame({"formula": formulas, "T": np.arange(len(y)) % 7.0})
    model = tiny_crabnet(callbacks=[AttentionRecorder(["NaCl"])]).fit(X, y)
    at_mean = pd.DataFrame({"formula": ["NaCl"], "T": [X["T"].mean()]})
    (entry,) = attention_weights(model, at_mean)
    np.testing.assert_allclose(model.callbacks_[0][0].attention_[0][-1], entry.weights, atol=1e-6)


@pytest.mark.parametrize("cls", [*REGRESSORS[1:], *CLASSIFIERS[1:]])
def test_other_networks(cls, learnt):
    X, y = learnt
    with pytest.raises(TypeError, match="AttentionRecorder is for CrabNet"):
        tiny(cls, callbacks=[AttentionRecorder(["NaCl"])]).fit(X, y < -1)


@pytest.mark.parametrize(
    ("settings", "formulas", "complaint"),
    [({"n_layers": 0}, ["NaCl"], "n_layers=0"), ({}, ["Xx"], "unknown element 'Xx'")],
)
def test_nothing_to_record(settings, formulas, complaint, learnt):
    X, y = learnt
    with pytest.raises(ValueError, match=complaint):
        tiny_crabnet(callbacks=[AttentionRecorder(formulas)], **settings).fit(X, y)


def test_a_finished_checkpoint_has_nothing_to_record(learnt, tmp_path):
    X, y = learnt
    settings = {"callbacks": [AttentionRecorder(WATCHED)], "checkpoint": tmp_path}
    first, again = (tiny_crabnet(**settings).fit(X, y).callbacks_[0][0] for _ in range(2))
    assert len(first.attention_) == len(WATCHED)
    with pytest.raises(ValueError, match="checkpoint of a finished fit"):
        _ = again.attention_


class TestAnimation:
    def test_saves_a_gif(self, watched, tmp_path):
        path = tmp_path / "attention.gif"
        watched.callbacks_[1][0].animate(2, layer=None).save(path, writer="pillow", dpi=40)
        with Image.open(path) as gif:
            assert gif.format == "GIF"
            assert gif.n_frames == 4

    def test_frames_show_their_epoch(self, watched):
        recorder = watched.callbacks_[0][0]
        animation = recorder.animate(layer=1)
        for epoch in (3, 1):
            (title,) = animation._func(epoch)
            assert title.get_text() == f"Al$_{{2}}$O$_{{3}}$, epoch {epoch + 1}"
            images, curves = animation._fig.subfigs
            for head, axes in enumerate(images.axes[1:3]):
                shown = axes.images[0].get_array()
                # Recorded in order of atomic number, shown as the formula has it.
                expected = recorder.attention_[0][epoch, 1, head][::-1, ::-1]
                assert np.array_equal(shown, expected)
            aluminium, oxygen = curves.axes[0].lines
            assert aluminium.get_label() == "Al"
            assert np.array_equal(oxygen.get_ydata(), recorder.contributions_[0][: epoch + 1, 0, 0])
        animation._draw_was_started = True  # or matplotlib warns that it was never drawn
