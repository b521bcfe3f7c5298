"""What predict does: order, chunks, memory, round trips."""

import os
import pickle
import subprocess
import sys
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError
from tiny import tiny_crabnet

from crabsk.composition import ELEMENTS, FormulaError


class TestPrediction:
    def test_rows_keep_their_order_and_number(self, formation_enthalpy, some_formulas):
        """More elements than in training, pure elements, repeats: each row by itself the same."""
        X, y = some_formulas
        estimator = tiny_crabnet().fit(X, y)
        rows = np.array(["Fe", "".join(ELEMENTS), "NaCl", "Fe", "Al0.3Ga0.3In0.4As", *X], object)
        together = estimator.predict(rows)
        apart = np.concatenate([estimator.predict([row]) for row in rows])
        np.testing.assert_allclose(together, apart, rtol=1e-5, atol=1e-6)
        assert together[0] == together[3]

    def test_chunks_agree(self, some_formulas, monkeypatch):
        X, y = some_formulas
        estimator = tiny_crabnet().fit(X, y)
        expected = estimator.predict(X)
        monkeypatch.setattr("crabsk.neural_network._prediction.PREDICTION_CHUNK", 7)
        np.testing.assert_allclose(estimator.predict(X), expected, rtol=1e-5, atol=1e-6)
        monkeypatch.setattr("crabsk.neural_network._prediction.READING_CHUNK", 11)
        np.testing.assert_allclose(estimator.predict(X), expected, rtol=1e-5, atol=1e-6)

    def test_chunks_of_a_matrix_and_of_extra_features(self, some_formulas, monkeypatch):
        X, y = some_formulas
        frame = pd.DataFrame({"formula": X, "T": np.linspace(0, 1, len(X))})
        amounts = np.random.default_rng(0).dirichlet(np.ones(5), size=60)
        for form in (frame, amounts):
            estimator = tiny_crabnet().fit(form, y)
            expected = estimator.predict(form)
            with monkeypatch.context() as patch:
                patch.setattr("crabsk.neural_network._prediction.READING_CHUNK", 11)
                np.testing.assert_allclose(estimator.predict(form), expected, rtol=1e-5, atol=1e-6)

    def test_batches_side_by_side_agree(self, some_formulas, monkeypatch):
        """Two threads have the batches that one has, so that nothing differs."""
        X, y = some_formulas
        estimator = tiny_crabnet().fit(X, y)
        monkeypatch.setattr("crabsk.neural_network._prediction.PREDICTION_CHUNK", 16)
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append((estimator.predict(X), estimator.encode(X)))
            assert torch.get_num_threads() == threads
        torch.set_num_threads(1)
        for one, two in zip(*found, strict=True):
            np.testing.assert_array_equal(one, two)

    def test_what_fails_in_a_thread_is_raised(self, some_formulas, monkeypatch):
        X, y = some_formulas
        estimator = tiny_crabnet().fit(X, y)
        monkeypatch.setattr("crabsk.neural_network._prediction.PREDICTION_CHUNK", 16)
        monkeypatch.setattr(type(estimator.nets_[0].module_), "forward", lambda *_: 1 / 0)
        torch.set_num_threads(2)
        with pytest.raises(ZeroDivisionError):
            estimator.predict(X)
        assert torch.get_num_threads() == 2
        torch.set_num_threads(1)

    def test_threads_leave_the_filters_of_warnings_alone(self, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet(target_transform="yeo-johnson").fit(X, y)
        before = list(warnings.filters)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: model.predict(X, return_std=True), range(100)))
        assert warnings.filters == before

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
    def test_a_forked_process_predicts_and_fits(self, tmp_path):
        """torch's threads are gone there, and what it shares out would wait for ever."""
        script = (
            "import multiprocessing, numpy as np, torch\n"
            "from crabsk import CrabNetRegressor\n"
            "from crabsk.datasets import load_formation_enthalpy\n"
            "torch.set_num_threads(2)\n"
            "X, y = load_formation_enthalpy(return_X_y=True)\n"
            "model = CrabNetRegressor.from_preset('fast', max_epochs=1, random_state=0)\n"
            "expected = model.fit(X, y).predict(X)\n"
            "def work(refit):\n"
            "    return (model.fit(X, y) if refit else model).predict(X)\n"
            "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
            "    for found in pool.map_async(work, [False, True]).get(timeout=60):\n"
            "        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True, timeout=120, cwd=tmp_path)

    def test_errors_count_rows_of_the_whole_input(self, some_formulas, monkeypatch):
        X, y = some_formulas
        estimator = tiny_crabnet(embedding="megnet16").fit(X, y)
        monkeypatch.setattr("crabsk.neural_network._prediction.READING_CHUNK", 11)
        X[25], X[50] = "Xx", "Yy2"
        with pytest.raises(FormulaError, match=r"2 of 60 .*\n  row 25: 'Xx'.*\n  row 50: 'Yy2'"):
            estimator.predict(X)
        X[25], X[50] = "OgO2", "Og"
        with pytest.raises(ValueError, match=r"Og, in 2 of 60 rows \(row 25, 50\)"):
            estimator.predict(X)

    def test_equal_compositions_are_computed_once(self, some_formulas):
        X, y = some_formulas
        estimator = tiny_crabnet().fit(X, y)
        seen = []
        estimator.nets_[0].module_.register_forward_hook(
            lambda module, inputs, output: seen.append(len(inputs[0]))
        )
        twelve = [f"Fe{n}O" for n in range(1, 13)]
        estimator.predict(twelve * 10)
        assert seen == [16]  # filled up to a multiple of eight

    def test_memory_does_not_grow_with_the_rows(self, some_formulas):
        X, y = some_formulas
        estimator = tiny_crabnet().fit(X, y)
        few, many = list(X) * 2000, list(X) * 6000
        peaks = []
        for rows in (few, many):
            tracemalloc.start()
            estimator.predict(rows)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        # For each row a reference and two floats, while means are joined.
        assert peaks[1] - peaks[0] < 32 * (len(many) - len(few))

    def test_longer_formulas_are_not_truncated(self):
        """crabnet cuts formulas to the training set's number of elements."""
        estimator = tiny_crabnet().fit(["NaCl", "MgO", "KBr"], [1.0, 2.0, 3.0])
        first, other = estimator.predict(["LiFePO4Mg2", "LiFePO4Ca2"])
        assert first != other

    @pytest.mark.parametrize("nothing", [[], np.array([], object), pd.Series([], dtype=object)])
    def test_nothing_to_predict(self, some_formulas, nothing):
        X, y = some_formulas
        with pytest.raises(ValueError, match="0 sample"):
            tiny_crabnet().fit(X, y).predict(nothing)
        with pytest.raises(ValueError, match="0 sample"):
            tiny_crabnet().fit(nothing, [])

    def test_unfitted(self):
        with pytest.raises(NotFittedError):
            tiny_crabnet().predict(["NaCl"])

    def test_element_without_vector(self, some_formulas):
        X, y = some_formulas
        estimator = tiny_crabnet(embedding="megnet16").fit(X, y)
        with pytest.raises(ValueError, match=r"Og.*megnet16|megnet16.*Og"):
            estimator.predict(["NaCl", "OgO2"])
        filled = tiny_crabnet(embedding="megnet16", missing="mean").fit(X, y)
        assert np.isfinite(filled.predict(["OgO2"])).all()

    @pytest.mark.parametrize("dump", [pickle.dumps, None], ids=["pickle", "joblib"])
    def test_round_trip(self, some_formulas, tmp_path, dump):
        X, y = some_formulas
        estimator = tiny_crabnet(n_iter_no_change=10, progress=False).fit(X, y)
        if dump:
            loaded = pickle.loads(dump(estimator))
        else:
            joblib.dump(estimator, tmp_path / "model")
            loaded = joblib.load(tmp_path / "model")
        assert np.array_equal(loaded.predict(X), estimator.predict(X))

    @pytest.mark.parametrize("d_model", [8, 32, 64])
    def test_order_and_company_change_no_bit(self, some_formulas, d_model):
        """A product with one column is summed up otherwise at the end of a batch."""
        X, y = some_formulas
        model = tiny_crabnet(d_model=d_model).fit(X, y)
        predicted = model.predict(X)
        rng = np.random.default_rng(0)
        for n_rows in (60, 60, 60, 31, 20, 7, 1):
            rows = rng.permutation(60)[:n_rows]
            assert np.array_equal(model.predict(X[rows]), predicted[rows])

    def test_no_steps_between_neighbouring_compositions(self, formation_enthalpy):
        """With the paper's table of 5000 rows, one of these fractions in two is a step."""
        X, y = formation_enthalpy
        model = tiny_crabnet(d_model=64, max_epochs=10).fit(X[:500], y[:500])
        amounts = np.linspace(0.4, 0.41, 101)
        predicted = model.predict([{"Ni": x, "Al": 1 - x} for x in amounts.tolist()])
        steps = np.diff(predicted)
        assert np.abs(steps).max() < 3 * np.abs(steps).mean()
        assert (np.diff(np.sign(steps)) != 0).sum() <= 2, "it rises or falls throughout"

    def test_pickle_holds_the_weights_once(self, some_formulas):
        X, y = some_formulas
        estimator = tiny_crabnet(d_model=128).fit(X, y)
        state = estimator.nets_[0].module_.state_dict()
        weights = sum(value.numel() * value.element_size() for value in state.values())
        assert len(pickle.dumps(estimator)) < 1.5 * weights + 300_000
