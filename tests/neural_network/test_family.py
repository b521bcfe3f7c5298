"""What the networks have in common, and what their parameters do."""

import inspect
import json
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from tiny import CLASSIFIERS, REGRESSORS, tiny, tiny_crabnet

from crabsk import CrabNetRegressor, ElemNetRegressor, RoostRegressor, load_model, save_model
from crabsk.embeddings import embedding_names

# Parameters that mean something else in each network.
OF_ONE_NETWORK = {
    *("embedding", "n_layers", "n_heads", "head_widths", "dropout"),
    *("batch_size", "max_epochs", "learning_rate", "n_estimators", "init_from"),
}


def entries(cls, section):
    """Return the entries of a section of a docstring: their names, and all that stands there."""
    text = inspect.getdoc(cls).partition(f"{section}\n{'-' * len(section)}\n")[2]
    text = re.split(r"\n\n\w[\w ]*\n---", text)[0]
    parts = re.split(r"(?m)^(?=\w[\w, ]* : )", text)[1:]
    return {part.partition(" : ")[0]: part.strip() for part in parts}


def network(cls):
    return cls.__name__.removesuffix("Regressor").removesuffix("Classifier")


@pytest.mark.parametrize("name", embedding_names())
def test_every_named_table_trains(name, some_formulas):
    X, y = some_formulas
    model = tiny_crabnet(embedding=name, missing="mean", max_epochs=1).fit(X, y)
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("cls", REGRESSORS)
class TestRegressors:
    @pytest.mark.filterwarnings("ignore::crabsk.neural_network.ConflictingTargetsWarning")
    def test_temperature_counts(self, cls, some_formulas):
        """The heat that melts: a target that depends on composition and temperature together."""
        X, y = some_formulas
        frame = pd.DataFrame({"formula": np.tile(X, 3), "T": np.repeat([300.0, 600, 900], 60)})
        target = np.tile(y, 3) * frame["T"].to_numpy() / 300
        settings = {"max_epochs": 75, "learning_rate": 1e-2}
        informed = tiny(cls, **settings).fit(frame, target)
        blind = tiny(cls, **settings).fit(frame.assign(T=0.0), target)
        predicted = informed.predict(frame)
        error = np.abs(predicted - target).mean()
        assert error < 0.6 * np.abs(blind.predict(frame.assign(T=0.0)) - target).mean()
        by_temperature = predicted.reshape(3, 60)
        effect = by_temperature[2] - by_temperature[0]
        assert (effect != 0).all()
        assert effect.std() > 0.1 * abs(effect.mean())

    def test_most_labels_missing(self, cls, some_formulas):
        """Four targets, of whose labels six in ten are missing."""
        X, y = some_formulas
        rng = np.random.default_rng(0)
        Y = y[:, None] * [1.0, -2.0, 0.5, 10.0] + [0, 1, 2, 3]
        Y[rng.random(Y.shape) < 0.6] = np.nan
        model = tiny(cls, max_epochs=30).fit(X, Y)
        mean, std = model.predict(X, return_std=True)
        assert mean.shape == std.shape == (60, 4)
        assert np.isfinite(mean).all()
        labelled = ~np.isnan(Y)
        for k in range(4):
            rows = labelled[:, k]
            assert np.corrcoef(mean[rows, k], Y[rows, k])[0, 1] > 0.5

    def test_what_stands_in_a_gap_does_not_matter(self, cls, some_formulas):
        """A label whose sample weighs nothing is as good as missing."""
        X, y = some_formulas
        Y = np.column_stack([y, y**2])
        Y[10] = np.nan
        spoilt = Y.copy()
        spoilt[10] = 1e6
        weights = np.ones(60)
        weights[10] = 0
        first, second = (
            tiny(cls).fit(X, labels, sample_weight=weights).predict(X) for labels in (Y, spoilt)
        )
        assert np.array_equal(first, second)

    def test_amounts_and_formulas_agree(self, cls, some_formulas):
        X, y = some_formulas
        model = tiny(cls).fit(X, y)
        np.testing.assert_allclose(model.predict(["Fe2O3"]), model.predict(["Fe4O6"]), rtol=1e-5)


@pytest.mark.parametrize("cls", [*REGRESSORS, *CLASSIFIERS])
class TestAll:
    def test_pickles(self, cls, some_formulas):
        X, y = some_formulas
        model = tiny(cls).fit(X, y < -0.5)
        again = pickle.loads(pickle.dumps(model))
        assert np.array_equal(again.predict(X), model.predict(X))

    def test_presets_name_parameters(self, cls):
        names = set(cls().get_params())
        for name, settings in cls.presets.items():
            assert set(settings) <= names
            assert cls.from_preset(name).get_params().keys() == names

    def test_documents_its_parameters(self, cls):
        documented = [n for names in entries(cls, "Parameters") for n in names.split(", ")]
        assert documented == list(inspect.signature(cls).parameters)

    @pytest.mark.parametrize("section", ["Parameters", "Attributes"])
    def test_what_it_shares_with_others_reads_the_same(self, cls, section):
        """Each docstring is written out in full; what several have in common must not differ."""
        own = entries(cls, section)
        for other in (*REGRESSORS, *CLASSIFIERS):
            for names, text in entries(other, section).items():
                if names in own and (names not in OF_ONE_NETWORK or network(cls) == network(other)):
                    assert own[names] == text, f"{names} in {other.__name__}"


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        (RoostRegressor, "embedding", "onehot"),
        (RoostRegressor, "element_width", 24),
        (RoostRegressor, "n_layers", 2),
        (RoostRegressor, "n_heads", 3),
        (RoostRegressor, "gate_width", 24),
        (RoostRegressor, "message_width", 24),
        (RoostRegressor, "trunk_widths", (24, 16)),
        (RoostRegressor, "head_widths", (24,)),
        (RoostRegressor, "loss", "robust_l1"),
        (ElemNetRegressor, "embedding", "magpie"),
        (ElemNetRegressor, "widths", ((24,), (16,))),
        (ElemNetRegressor, "dropout", (0.3,)),
        (CrabNetRegressor, "n_experts", 2),
    ],
)
def test_every_parameter_matters(cls, name, value, some_formulas):
    X, y = some_formulas
    plain = tiny(cls).fit(X, y).predict(X)
    assert not np.allclose(tiny(cls, **{name: value}).fit(X, y).predict(X), plain, rtol=1e-6)


def test_number_of_experts_matters(some_formulas):
    X, y = some_formulas
    two, three = (tiny_crabnet(n_experts=n).fit(X, y).predict(X) for n in (2, 3))
    assert not np.allclose(two, three, rtol=1e-6)


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        (RoostRegressor, "trunk_widths", (32, 8)),
        (RoostRegressor, "head_widths", (8, 4)),
        (ElemNetRegressor, "widths", ((16, 16), (8, 4))),
    ],
)
def test_widths_in_any_sequence(cls, name, value, some_formulas, tmp_path):
    """A search or a JSON file gives lists, numpy arrays."""
    X, y = some_formulas
    plain = tiny(cls, **{name: value}, checkpoint=tmp_path / "runs").fit(X, y)
    for widths in (json.loads(json.dumps(value)), np.array(value)):
        model = tiny(cls, **{name: widths}, checkpoint=tmp_path / "runs").fit(X, y)
        assert np.array_equal(model.predict(X), plain.predict(X))
        assert model.get_params()[name] is widths
        model.checkpoint = None
        save_model(model, tmp_path / "saved")
        assert np.array_equal(load_model(tmp_path / "saved").predict(X), plain.predict(X))
    assert len(list((tmp_path / "runs").iterdir())) == 1, "one run"


@pytest.mark.parametrize(
    ("cls", "settings", "message"),
    [
        (RoostRegressor, {"trunk_widths": (16,)}, "at least two"),
        (RoostRegressor, {"head_widths": ()}, "head_widths"),
        (ElemNetRegressor, {"widths": ((8,), ())}, "block of widths"),
        (ElemNetRegressor, {"dropout": (1.0,)}, "dropout"),
        (ElemNetRegressor, {"dropout": (0.1, 0.1, 0.1)}, "3 dropout rates for 2 blocks"),
    ],
)
def test_bad_settings(cls, settings, message, some_formulas):
    X, y = some_formulas
    with pytest.raises(ValueError, match=message):
        tiny(cls, **settings).fit(X, y)


def test_elemnet_of_the_paper_knows_86_elements(some_formulas):
    X, y = some_formulas
    paper = ElemNetRegressor.from_preset("paper", max_epochs=1)
    assert len(repr(paper)) < 300
    model = paper.fit(X, y)
    with pytest.raises(ValueError, match="Ne"):
        model.predict(["NeF"])
    n_weights = sum(w.numel() for w in model.nets_[0].module_.parameters())
    assert n_weights == 4_631_361 + 33  # the paper's, and the read-off of the uncertainty
