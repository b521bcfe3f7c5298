"""Saved models predict the same elsewhere, and files can do no harm."""

import io
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import ARDRegression, BayesianRidge, LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tiny import CLASSIFIERS, REGRESSORS, tiny, tiny_crabnet

import crabsk._model_file
from crabsk import (
    CalibratedRegressorCV,
    CompositionTransformer,
    CrabNetClassifier,
    RoostRegressor,
    load_model,
    save_model,
)
from crabsk._model_file import _digest
from crabsk.neural_network import UnseenElementsWarning, _crabnet


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a model"


@pytest.fixture
def model(some_formulas):
    return tiny_crabnet().fit(*some_formulas)


def contents(path):
    with safe_open(path, framework="pt") as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def rewrite(path, change, *, sign=True):
    """Change JSON and tensors of a file as one would who knows the format."""
    header, tensors = contents(path)
    content = json.loads(header["crabsk"])
    change(content, tensors)
    header["crabsk"] = json.dumps(content, sort_keys=True)
    if sign:
        header["crabsk_sha256"] = _digest(header["crabsk"], tensors)
    save_file(tensors, path, metadata=header)


class TestRoundTrip:
    @pytest.mark.parametrize("cls", [*REGRESSORS, *CLASSIFIERS])
    def test_predicts_the_same(self, cls, some_formulas, path):
        X, y = some_formulas
        model = tiny(cls, n_estimators=2).fit(X, y if cls in REGRESSORS else y < -0.5)
        save_model(model, path)
        again = load_model(path)
        assert type(again) is cls
        assert np.array_equal(again.predict(X), model.predict(X))
        assert np.array_equal(again.encode(X), model.encode(X))
        if cls in REGRESSORS:
            assert np.array_equal(again.predict(X, return_std=True), model.predict(X, True))
        else:
            assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
        assert repr(again) == repr(model)
        assert again.history_ == model.history_

    @pytest.mark.parametrize(
        "settings",
        [
            {"embedding": "magpie", "missing": "mean"},
            {"embedding": "onehot", "cbfv": "magpie"},
            {"target_transform": "yeo-johnson"},
            {"n_iter_no_change": 10, "dropout": 0.1},
            {"n_experts": 2, "n_estimators": 3},
            {"architecture": "paper", "loss": "robust_l1"},
        ],
    )
    def test_settings(self, settings, some_formulas, path):
        X, y = some_formulas
        model = tiny_crabnet(**settings).fit(X, np.column_stack([y, -y]))
        save_model(model, path)
        again = load_model(path)
        assert np.array_equal(again.predict(X, return_std=True), model.predict(X, return_std=True))
        assert again.get_params() == model.get_params()

    def test_log_targets(self, some_formulas, path):
        X, y = some_formulas
        model = tiny_crabnet(target_transform="log").fit(X, np.exp(y))
        save_model(model, path)
        assert np.array_equal(load_model(path).predict(X), model.predict(X))

    def test_own_table(self, some_formulas, path):
        X, y = some_formulas
        rng = np.random.default_rng(0)
        elements = sorted(crabsk.composition.ELEMENTS[:90])
        table = pd.DataFrame(rng.normal(size=(90, 5)), index=elements)
        model = tiny_crabnet(embedding=table).fit(X, y)
        save_model(model, path)
        again = load_model(path)
        assert np.array_equal(again.predict(X), model.predict(X))
        assert np.array_equal(again.fit(X, y).predict(X), model.predict(X))

    def test_alloys(self, path):
        """The statistics of fractions are part of the model."""
        rng = np.random.default_rng(0)
        X = [f"Fe{0.7 + 0.02 * a:.5f}C{0.01 * b:.5f}Ni{0.1:.1f}" for a, b in rng.random((80, 2))]
        model = tiny_crabnet().fit(X, rng.random(80))
        assert model.nets_[0].module_.standardized is not None
        save_model(model, path)
        assert np.array_equal(load_model(path).predict(X), model.predict(X))

    def test_table_with_extra_features(self, some_formulas, path):
        X, y = some_formulas
        frame = pd.DataFrame({"T": np.linspace(0, 1, 60), "formula": X})
        model = tiny_crabnet().fit(frame, y)
        save_model(model, path)
        again = load_model(path)
        assert np.array_equal(again.predict(frame), model.predict(frame))
        assert again.feature_names_in_.tolist() == ["T", "formula"]
        with pytest.raises(ValueError, match="feature names"):
            again.predict(frame.rename(columns={"T": "p"}))

    @pytest.mark.parametrize("labels", [["b", "a"], [3, 1], [True, False], ["x", "a", "c"]])
    def test_classes(self, labels, some_formulas, path):
        X, _ = some_formulas
        y = np.resize(np.array(labels, dtype=object if isinstance(labels[0], str) else None), 60)
        model = tiny(CrabNetClassifier, class_weight={labels[0]: 2.0}).fit(X, y)
        save_model(model, path)
        again = load_model(path)
        assert again.classes_.dtype == model.classes_.dtype
        assert np.array_equal(again.predict(X), model.predict(X))
        assert again.class_weight == model.class_weight

    def test_in_another_process(self, model, some_formulas, path):
        X, _ = some_formulas
        save_model(model, path)
        code = (
            "import sys, json, torch; torch.set_num_threads(1)\n"
            "from crabsk import load_model\n"
            "print(json.dumps(load_model(sys.argv[1]).predict(json.loads(sys.argv[2])).tolist()))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), json.dumps(X.tolist())],
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout) == model.predict(X).tolist()

    def test_goes_on_training(self, some_formulas, path):
        X, y = some_formulas
        model = tiny_crabnet(warm_start=True).fit(X, y)
        save_model(model, path)
        expected = model.fit(X, y).predict(X)
        np.testing.assert_allclose(load_model(path).fit(X, y).predict(X), expected)

    def test_gives_its_encoder(self, model, some_formulas, path):
        X, y = some_formulas
        save_model(model, path)
        from_path = tiny_crabnet(init_from=str(path), freeze=3).fit(X, y)
        assert np.array_equal(from_path.encode(X), model.encode(X))

    def test_pickles_across_processes(self, model, some_formulas, tmp_path):
        X, _ = some_formulas
        (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
        code = (
            "import sys, json, pickle, torch; torch.set_num_threads(1)\n"
            "model = pickle.load(open(sys.argv[1], 'rb'))\n"
            "print(json.dumps(model.predict(json.loads(sys.argv[2])).tolist()))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "model.pickle"), json.dumps(X.tolist())],
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout) == model.predict(X).tolist()


def test_pickle_of_another_version_warns(model, monkeypatch):
    monkeypatch.setattr("crabsk.neural_network._state.__version__", "0.0.1")
    pickled = pickle.dumps(model)
    monkeypatch.undo()
    with pytest.warns(UserWarning, match=r"pickled by crabsk 0\.0\.1.*save_model"):
        pickle.loads(pickled)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
class TestCalibrated:
    @pytest.mark.parametrize(
        ("estimator", "n_targets"),
        [
            (tiny_crabnet(n_estimators=1, max_epochs=1), 1),
            (tiny_crabnet(n_estimators=1, max_epochs=1), 2),
            (make_pipeline(CompositionTransformer(stats="fraction"), BayesianRidge()), 1),
        ],
        ids=["networks", "networks of two targets", "pipelines"],
    )
    def test_predicts_the_same(self, estimator, n_targets, some_formulas, path):
        X, y = some_formulas
        y = y if n_targets == 1 else np.column_stack([y, -y])
        model = CalibratedRegressorCV(estimator, n_estimators=4).fit(X, y)
        save_model(model, path)
        again = load_model(path)
        assert type(again) is CalibratedRegressorCV
        new = [*X[:5], "PuO2"]
        with pytest.warns(UnseenElementsWarning):
            expected = model.predict(new, return_std=True)
        with pytest.warns(UnseenElementsWarning):
            found = again.predict(new, return_std=True)
        for one, other in zip(found, expected, strict=True):
            assert np.array_equal(one, other)

    def test_another_version_warns(self, some_formulas, path, monkeypatch):
        model = CalibratedRegressorCV(tiny_crabnet(n_estimators=1, max_epochs=1), n_estimators=4)
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr("crabsk.automl._storage.__version__", "99.0")
            save_model(model.fit(*some_formulas), path)
        with pytest.warns(UserWarning, match=r"saved with crabsk 99\.0"):
            load_model(path)

    def test_models_of_others_are_refused(self, some_formulas, path):
        foreign = make_pipeline(CompositionTransformer(stats="fraction"), ARDRegression())
        model = CalibratedRegressorCV(foreign, n_estimators=4).fit(*some_formulas)
        with pytest.raises(TypeError, match="ARDRegression"):
            save_model(model, path)

    def test_unfitted(self, path):
        with pytest.raises(NotFittedError):
            save_model(CalibratedRegressorCV(), path)


class TestFromAGpu:
    """A model whose parameters name a GPU, on a machine without one."""

    @pytest.fixture
    def model(self, model):
        return model.set_params(device="cuda")

    def test_file(self, model, path, some_formulas):
        X, _ = some_formulas
        save_model(model, path)
        with pytest.raises(ValueError, match=r'load_model\(path, device="cpu"\)'):
            load_model(path)
        assert np.array_equal(load_model(path, device="cpu").predict(X), model.predict(X))

    def test_pickle(self, model, some_formulas):
        X, _ = some_formulas
        with pytest.warns(UserWarning, match="no CUDA GPU here.*the CPU predicts"):
            again = pickle.loads(pickle.dumps(model))
        assert np.array_equal(again.predict(X), model.predict(X))


class TestSaving:
    def test_the_path_is_used_as_it_is(self, model, path):
        save_model(model, path)
        assert os.listdir(path.parent) == ["a model"]
        save_model(model, str(path))
        assert os.listdir(path.parent) == ["a model"]

    def test_a_missing_folder_is_named(self, model, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
            save_model(model, tmp_path / "nowhere" / "model")
        with pytest.raises(IsADirectoryError, match="give the name of a file"):
            save_model(model, tmp_path)

    def test_a_link_is_followed(self, model, path, tmp_path):
        path.symlink_to(tmp_path / "elsewhere")
        save_model(model, path)
        assert path.is_symlink()
        load_model(tmp_path / "elsewhere")

    def test_a_failure_leaves_the_old_file(self, model, path, monkeypatch):
        save_model(model, path)
        before = path.read_bytes()

        def full(descriptor):
            raise OSError("no space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            save_model(model, path)
        assert path.read_bytes() == before
        assert os.listdir(path.parent) == ["a model"]

    def test_unfitted(self, path):
        with pytest.raises(NotFittedError):
            save_model(tiny_crabnet(), path)

    def test_changed_cbfv(self, some_formulas, path):
        model = tiny_crabnet(cbfv="magpie").fit(*some_formulas)
        with pytest.raises(ValueError, match="changed since the fit"):
            save_model(model.set_params(cbfv="oliynyk"), path)

    @pytest.mark.parametrize("own", [None, "dropout"])
    def test_changed_dropout(self, some_formulas, path, own):
        model = tiny_crabnet(dropout=0.1).fit(*some_formulas)
        if own is None:
            save_model(model, path)
        else:
            with pytest.raises(ValueError, match="changed since the fit"):
                save_model(model.set_params(dropout=0.5), path)

    def test_chosen_dropout(self, some_formulas, path, monkeypatch):
        """A later version may choose another rate."""
        model = tiny_crabnet(dropout="auto").fit(*some_formulas)
        save_model(model, path)
        monkeypatch.setattr(_crabnet, "DROPOUT", 0.2)
        loaded = load_model(path)
        assert loaded.nets_[0].module_.settings["dropout"] == 0.1
        assert loaded.fit(*some_formulas).nets_[0].module_.settings["dropout"] == 0.2

    def test_an_equal_text_is_no_change(self, some_formulas, path):
        model = tiny_crabnet(target_transform="yeo-johnson").fit(*some_formulas)
        save_model(model.set_params(target_transform="-".join(["yeo", "johnson"])), path)

    def test_a_frozen_start_can_be_fitted_again(self, model, some_formulas, path):
        frozen = tiny_crabnet(init_from=model, freeze=1).fit(*some_formulas)
        with pytest.warns(UserWarning, match="init_from, freeze"):
            save_model(frozen, path)
        assert load_model(path).fit(*some_formulas).freeze == 0

    def test_other_estimators(self, path):
        with pytest.raises(TypeError, match=r"CrabNetRegressor.*not LinearRegression"):
            save_model(LinearRegression(), path)

    def test_code_is_not_saved(self, some_formulas, path):
        X, y = some_formulas
        model = tiny_crabnet(target_transform=StandardScaler()).fit(X, y)
        with pytest.raises(TypeError, match=r"StandardScaler.*skops"):
            save_model(model, path)
        assert not path.exists()

    @pytest.mark.parametrize(
        "changed",
        [
            {"n_estimators": 2},
            {"n_layers": 2},
            {"d_model": 32},
            {"target_transform": "log"},
            {"embedding": "magpie"},
            {"embedding": "matscholar"},
        ],
    )
    def test_parameters_that_were_changed_since(self, model, path, changed):
        """They describe another network than the weights are of."""
        model.set_params(**changed)
        with pytest.raises(ValueError, match="parameters were changed since the fit"):
            save_model(model, path)
        assert not path.exists()

    def test_what_is_left_out_is_told(self, model, some_formulas, path):
        X, y = some_formulas
        heir = tiny_crabnet(init_from=model, random_state=np.random.RandomState(0)).fit(X, y)
        with pytest.warns(UserWarning, match="init_from, random_state"):
            save_model(heir, path)
        assert np.array_equal(load_model(path).predict(X), heir.predict(X))


class TestHostileFiles:
    def test_missing_file(self, path):
        with pytest.raises(FileNotFoundError):
            load_model(path)

    def test_pickle_is_not_executed(self, path, tmp_path):
        class Bomb:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "executed"),)

        for payload in (pickle.dumps(Bomb()), self.zipped(pickle.dumps(Bomb()))):
            path.write_bytes(payload)
            with pytest.raises(ValueError, match="no model of crabsk"):
                load_model(path)
        assert not (tmp_path / "executed").exists()

    @staticmethod
    def zipped(payload):
        """A torch archive that would unpickle, with a name that climbs out of its folder."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("archive/data.pkl", payload)
            archive.writestr("../../escaped", b"x")
        return buffer.getvalue()

    @pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999])
    def test_truncated(self, model, path, share):
        save_model(model, path)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ValueError, match="a model"):
            load_model(path)

    @pytest.mark.parametrize("size", [2**63, 2**40, 10**9])
    def test_huge_header(self, path, size):
        path.write_bytes(struct.pack("<Q", size % 2**64) + b"{}")
        with pytest.raises(ValueError, match="no model of crabsk"):
            load_model(path)

    def test_any_flipped_byte(self, model, some_formulas, path):
        """Either the file is refused or, where the byte means nothing, the model is the same."""
        X, _ = some_formulas
        save_model(model, path)
        whole = path.read_bytes()
        expected = model.predict(X)
        header, sweep = range(0, 200, 5), [len(whole) * k // 100 for k in range(100)]
        refused = 0
        for position in [*header, *sweep, len(whole) - 1]:
            spoilt = bytearray(whole)
            spoilt[position] ^= 0x10
            path.write_bytes(bytes(spoilt))
            try:
                same = np.array_equal(load_model(path).predict(X), expected)
            except ValueError:
                refused += 1
            else:
                assert same, position
        assert refused > 130

    def test_no_layers_for_a_thousand_million_networks(self, model, path):
        """Nothing is made for each of them before the file is found wanting."""
        save_model(model, path)
        wrong = {"n_estimators": 10**9, "n_layers": 0, "n_experts": 1}

        def change(content, tensors):
            pairs = dict(map(tuple, content["parameters"]["dict"])) | wrong
            content["parameters"]["dict"] = [list(pair) for pair in pairs.items()]

        rewrite(path, change)
        with pytest.raises(ValueError, match="it has 1 networks, and n_estimators=1000000000"):
            load_model(path)
        wrong = {"n_layers": 10**9}
        rewrite(path, change)
        with pytest.raises(ValueError, match="more layers than the file has tensors"):
            load_model(path)

    def test_other_safetensors(self, path):
        save_file({"x": torch.zeros(3)}, path)
        with pytest.raises(ValueError, match="holds tensors, but is no model of crabsk"):
            load_model(path)

    @pytest.mark.parametrize(
        ("written", "way_out"), [(99, "take a newer crabsk"), (1, "the crabsk that wrote it")]
    )
    def test_another_format(self, written, way_out, model, path, monkeypatch):
        monkeypatch.setattr(crabsk._model_file, "FORMAT", written)
        save_model(model, path)
        monkeypatch.undo()
        with pytest.raises(ValueError, match=rf"'{written}'.*{way_out}"):
            load_model(path)

    def test_unsigned_change(self, model, path):
        save_model(model, path)
        rewrite(path, lambda content, tensors: content["parameters"].update(), sign=True)
        load_model(path)

        def move(content, tensors):
            tensors["target_mean"] += 1

        rewrite(path, move, sign=False)
        with pytest.raises(ValueError, match="changed since it was saved"):
            load_model(path)

    @pytest.mark.parametrize("name", ["nets.0.embed.weight", "target_mean", "target_scale"])
    def test_not_a_number(self, some_formulas, path, name):
        save_model(tiny_crabnet().fit(*some_formulas), path)
        rewrite(path, lambda content, tensors: tensors[name].view(-1)[:1].fill_(torch.nan))
        with pytest.raises(ValueError, match=f"no finite numbers, in {re.escape(name)}"):
            load_model(path)

    def test_scale_of_zero(self, model, path):
        save_model(model, path)
        rewrite(path, lambda content, tensors: tensors["target_scale"].zero_())
        with pytest.raises(ValueError, match="target_scale is not above zero"):
            load_model(path)

    def test_surplus_tensors(self, model, path):
        save_model(model, path)
        odd = {"nets.0.odd": torch.zeros(3)}
        rewrite(path, lambda content, tensors: tensors.update(odd))
        with pytest.raises(ValueError, match=r"Unexpected key\(s\).*odd"):
            load_model(path)
        save_model(model, path)
        rewrite(path, lambda content, tensors: tensors.update(odd=torch.zeros(3)))
        with pytest.raises(ValueError, match=r"belong to nothing: \['odd'\]"):
            load_model(path)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("_y_shape", "zzz"), ("n_features_in_", None), ("history_", {"tuple": []})],
    )
    def test_wrong_attributes(self, model, path, name, value):
        save_model(model, path)

        def change(content, tensors):
            pairs = content["attributes"]["dict"]
            pairs[:] = [pair for pair in pairs if pair[0] != name]
            if value is not None:
                pairs.append([name, value])

        rewrite(path, change)
        with pytest.raises(ValueError, match=name):
            load_model(path)

    @staticmethod
    def parameters(content):
        return {key: k for k, (key, _) in enumerate(content["parameters"]["dict"])}

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("d_model", 10**9),
            ("n_layers", 10**9),
            ("d_model", 300_000),
            ("n_estimators", 10**9),
            ("n_estimators", 2),
            ("device", "meta"),
            ("dropout", "very"),
            ("embedding", "../../etc/passwd"),
            ("n_experts", 10**9),
            ("n_experts", {"code": ["import os"]}),
            ("loss", "__import__"),
            ("surprise", 1),
            ("checkpoint", "anywhere"),
            ("init_from", "/etc/passwd"),
        ],
    )
    def test_wrong_parameters(self, model, path, name, value):
        """Refused before memory is asked for, however large the network would be."""
        save_model(model, path)

        def change(content, tensors):
            pairs = content["parameters"]["dict"]
            pairs[:] = [pair for pair in pairs if pair[0] != name]
            pairs.append([name, value])

        rewrite(path, change)
        with pytest.raises(ValueError, match="no sound model of crabsk"):
            load_model(path).predict(["NaCl"])

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("trunk_widths", {"tuple": [1] * 20_000}),
            ("trunk_widths", {"tuple": [10**9, 10**9]}),
            ("trunk_widths", {"code": ["import os"]}),
            ("element_width", 10**9),
            ("n_layers", 10**9),
        ],
    )
    def test_wrong_parameters_of_widths(self, some_formulas, path, name, value):
        save_model(tiny(RoostRegressor).fit(*some_formulas), path)

        def change(content, tensors):
            pairs = content["parameters"]["dict"]
            pairs[self.parameters(content)[name]] = [name, value]

        rewrite(path, change)
        with pytest.raises(ValueError, match="no sound model of crabsk"):
            load_model(path)

    def test_more_outputs_than_towers(self, some_formulas, path):
        """Each target of a mixture of experts has layers of its own."""
        save_model(tiny_crabnet(n_experts=2).fit(*some_formulas), path)

        def change(content, tensors):
            tensors.update(target_mean=torch.zeros(20_000, dtype=torch.float64))
            tensors.update(target_scale=torch.ones(20_000, dtype=torch.float64))

        rewrite(path, change)
        with pytest.raises(ValueError, match="more layers than the file has tensors"):
            load_model(path)

    @pytest.mark.parametrize("names", [{"array": ["object", [1]]}, {"array": ["str", ["a", "b"]]}])
    def test_wrong_names_of_columns(self, model, path, names):
        save_model(model, path)

        def change(content, tensors):
            content["attributes"]["dict"].append(["feature_names_in_", names])

        rewrite(path, change)
        with pytest.raises(ValueError, match="feature_names_in_ is no text for each column"):
            load_model(path)

    @pytest.mark.parametrize("written", ["²", "9" * 5000, "x", ""])
    def test_a_format_that_is_no_number(self, model, path, written):
        save_model(model, path)
        header, tensors = contents(path)
        save_file(tensors, path, metadata={**header, "crabsk_format": written})
        with pytest.raises(ValueError, match=r"a model has format .* take a newer crabsk"):
            load_model(path)

    @pytest.mark.parametrize("estimator", ["os.system", "BaseCompositionNetwork", ""])
    def test_wrong_class(self, model, path, estimator):
        save_model(model, path)
        rewrite(path, lambda content, tensors: content.update(estimator=estimator))
        with pytest.raises(ValueError, match="no sound model of crabsk"):
            load_model(path)

    def test_attributes_are_known_ones(self, model, path):
        save_model(model, path)

        def add(content, tensors):
            content["attributes"]["dict"].append(["predict", "gotcha"])

        rewrite(path, add)
        with pytest.raises(ValueError, match="unknown attribute 'predict'"):
            load_model(path)

    @pytest.mark.parametrize(
        "array",
        [
            ["<U50000000", ["a"]],
            ["int8", [3000]],
            ["V8", []],
            ["object", [{"code": []}]],
            ["str", ["a" * 100_000, *"b" * 1000]],
            # Each of these would be as wide as its longest item, whatever it is.
            ["str", [["a" * 100_000, *[""] * 1000]]],
            ["str", [{"tuple": ["a" * 100_000, *[""] * 1000]}]],
            ["str", [10**4000, *[0] * 1000]],
            ["object", [[["a"]]]],
            ["float64", [[[1.0]]]],
        ],
    )
    def test_wrong_arrays(self, model, path, array):
        save_model(model, path)

        def change(content, tensors):
            content["attributes"]["dict"].append(["feature_names_in_", {"array": array}])

        rewrite(path, change)
        with pytest.raises(ValueError, match="no sound model of crabsk"):
            load_model(path)

    @pytest.mark.parametrize(
        ("name", "dtype"),
        [("target_mean", torch.bfloat16), ("nets.0.embed.weight", torch.float8_e4m3fn)],
    )
    def test_wrong_types_of_weights(self, model, path, name, dtype):
        save_model(model, path)

        def change(content, tensors):
            tensors[name] = tensors[name].to(dtype)

        rewrite(path, change)
        with pytest.raises(ValueError, match="no sound model of crabsk"):
            load_model(path)

    @pytest.mark.parametrize("name", ["nets.0.embed.weight", "element_table", "target_mean"])
    def test_missing_or_misshapen_tensors(self, model, path, name):
        save_model(model, path)
        rewrite(path, lambda content, tensors: tensors.update({name: torch.zeros(2, 3, 4)}))
        with pytest.raises(ValueError, match="no sound model of crabsk"):
            load_model(path)
        rewrite(path, lambda content, tensors: tensors.pop(name))
        with pytest.raises(ValueError, match="no sound model of crabsk"):
            load_model(path)

    def test_another_version_warns(self, model, path, some_formulas):
        save_model(model, path)
        rewrite(path, lambda content, tensors: content["versions"].update(crabsk="0.0.1"))
        with pytest.warns(UserWarning, match=r"saved with crabsk 0\.0\.1") as told:
            load_model(path)
        assert told[0].filename == __file__
        with pytest.warns(UserWarning, match=r"saved with crabsk 0\.0\.1") as told:
            tiny_crabnet(init_from=path).fit(*some_formulas)
        assert told[0].filename == __file__


def test_a_wrong_device_is_no_fault_of_the_file(model, path):
    save_model(model, path)
    with pytest.raises(ValueError, match=r"^device='cpuu' is no device of torch"):
        load_model(path, device="cpuu")


def test_device(model, path, some_formulas):
    X, _ = some_formulas
    model.set_params(device="cuda")
    save_model(model, path)
    again = load_model(path, device="cpu")
    assert again.device == "cpu"
    assert np.array_equal(again.predict(X), model.set_params(device="cpu").predict(X))
