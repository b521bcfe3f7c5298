"""CrabNetRegressor on formulas: what it takes, what it says, what it leaves alone."""

import pickle
import random
import threading
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from pymatgen.core import Composition
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.preprocessing import QuantileTransformer
from skorch.callbacks import Callback, EpochScoring
from tiny import tiny_crabnet

from crabsk import CompositionTransformer, CrabNetRegressor
from crabsk.composition import ELEMENTS, FormulaError
from crabsk.modules import CrabNet, fraction_statistics
from crabsk.neural_network import ConflictingTargetsWarning


class TestForms:
    """The four forms of X give the same model."""

    @pytest.fixture
    def expected(self, some_formulas):
        X, y = some_formulas
        return tiny_crabnet().fit(list(X), y).predict(list(X))

    @pytest.mark.parametrize(
        "form",
        [
            tuple,
            np.array,
            lambda X: np.array(X, dtype=str),
            lambda X: pd.Series(X, index=range(7, 7 + len(X))),
            lambda X: pd.Series(X, dtype="string"),
            lambda X: pd.Series(X, dtype="string[pyarrow]"),
            lambda X: pd.Series(X, dtype="category"),
            lambda X: pl.Series("f", list(X)),
            lambda X: np.array(X, dtype=object).reshape(-1, 1),
            lambda X: [[x] for x in X],
            lambda X: pd.DataFrame({"formula": X}),
            lambda X: pl.DataFrame({"formula": list(X)}),
            lambda X: [Composition(x) for x in X],
            lambda X: [dict(Composition(x).get_el_amt_dict()) for x in X],
            lambda X: CompositionTransformer(stats="amount").fit_transform(X),
            lambda X: (
                CompositionTransformer(stats="amount")
                .set_output(transform="pandas")
                .fit_transform(X)
            ),
        ],
        ids=[
            "tuple",
            "object",
            "str",
            "series",
            "string-series",
            "arrow-series",
            "category",
            "polars-series",
            "column",
            "nested-lists",
            "frame",
            "polars-frame",
            "pymatgen",
            "dicts",
            "amounts",
            "named-amounts",
        ],
    )
    def test_same_model(self, form, some_formulas, expected):
        X, y = some_formulas
        estimator = tiny_crabnet().fit(form(X), y)
        np.testing.assert_allclose(estimator.predict(form(X)), expected, rtol=1e-5, atol=1e-6)

    def test_series_at_fit_and_frame_at_predict(self, some_formulas):
        X, y = some_formulas
        estimator = tiny_crabnet().fit(pd.Series(X), y)
        assert estimator.n_features_in_ == 1
        assert not hasattr(estimator, "feature_names_in_")
        expected = estimator.predict(X)
        assert np.array_equal(estimator.predict(pd.DataFrame({"formula": X})), expected)
        framed = tiny_crabnet().fit(pd.DataFrame({"formula": X}), y)
        assert framed.feature_names_in_.tolist() == ["formula"]
        assert np.array_equal(framed.predict(X), expected)

    def test_switching_between_formulas_and_amounts_raises(self, some_formulas):
        X, y = some_formulas
        amounts = CompositionTransformer(stats="amount").fit_transform(X)
        with pytest.raises(ValueError, match="was fitted on formulas"):
            tiny_crabnet().fit(X, y).predict(amounts)
        with pytest.raises(ValueError, match="was fitted on a matrix"):
            tiny_crabnet().fit(amounts, y).predict(X)

    def test_named_amounts_in_any_order(self):
        columns = pd.DataFrame({"O": [3.0, 1, 1, 0], "Fe": [2.0, 1, 0, 1], "Mg": [0.0, 0, 1, 1]})
        y = [1.0, 2.0, 3.0, 4.0]
        formulas = ["Fe2O3", "FeO", "MgO", "FeMg"]
        np.testing.assert_allclose(
            tiny_crabnet().fit(columns, y).predict(columns),
            tiny_crabnet().fit(formulas, y).predict(formulas),
            rtol=1e-5,
        )
        with pytest.raises(ValueError, match="element symbols"):
            tiny_crabnet().fit(columns.rename(columns={"Mg": "temperature"}), y)

    def test_numbers_that_are_no_amounts_warn(self):
        table = pd.DataFrame({"temperature": [300.0, 600.0], "pressure": [1.0, 3.0]})
        with pytest.warns(UserWarning, match=r"'temperature'.*amounts of H, He"):
            tiny_crabnet().fit(table, [1.0, 2.0])

    def test_bad_formulas_are_named(self, some_formulas):
        X, y = some_formulas
        X[3] = "Xx2O3"
        with pytest.raises(FormulaError, match=r"row 3: 'Xx2O3'.*unknown element 'Xx'"):
            tiny_crabnet().fit(X, y)

    def test_does_not_write_into_the_callers_frame(self, some_formulas):
        X, y = some_formulas
        frame = pd.DataFrame({"formula": X, "T": np.arange(60.0)})
        before = frame.copy(deep=True)
        tiny_crabnet().fit(frame, y).predict(frame)
        pd.testing.assert_frame_equal(frame, before)


class TestExtraFeatures:
    @pytest.fixture
    def measured(self, some_formulas):
        """The same compounds at two temperatures, between which the target doubles."""
        X, y = some_formulas
        frame = pd.DataFrame({"T": np.repeat([300, 600], 60), "formula": np.tile(X, 2)})
        return frame, np.concatenate([y, 2 * y])

    def test_they_count(self, measured):
        X, y = measured
        settings = {"max_epochs": 100, "d_model": 32, "random_state": 1}
        informed = tiny_crabnet(**settings).fit(X, y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConflictingTargetsWarning)
            blind = tiny_crabnet(**settings).fit(X["formula"], y)
        assert (
            np.abs(informed.predict(X) - y).mean()
            < 0.7 * np.abs(blind.predict(X["formula"]) - y).mean()
        )
        assert (informed.predict(X)[:60] != informed.predict(X)[60:]).all()

    def test_cbfv_equals_its_columns_beside_the_formulas(self, some_formulas):
        X, y = some_formulas
        columns = CompositionTransformer("magpie", stats=["mean", "std"]).fit_transform(X)
        table = np.column_stack([X, columns]).astype(object)
        by_hand = tiny_crabnet().fit(table, y).predict(table)
        assert np.array_equal(tiny_crabnet(cbfv="magpie").fit(X, y).predict(X), by_hand)

    def test_cbfv_stands_beside_other_features_and_validation(self, measured):
        X, y = measured
        model = tiny_crabnet(cbfv="magpie", calibration=True)
        model.fit(X[:90], y[:90], validation_data=(X[90:], y[90:]))
        assert (model.predict(X)[:60] != model.predict(X)[60:]).all()
        assert model.n_features_in_ == 2

    def test_cbfv_of_an_element_without_properties(self, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet(cbfv="oliynyk", embedding="onehot").fit(X, y)
        assert np.isfinite(model.predict(["OgO2"])).all()

    def test_position_is_fixed_at_fit_for_arrays(self, measured):
        X, y = measured
        expected = tiny_crabnet().fit(X, y).predict(X)
        array = X.to_numpy(dtype=object)
        estimator = tiny_crabnet().fit(array, y)
        np.testing.assert_allclose(estimator.predict(array), expected)
        assert estimator.formula_position_ == 1
        with pytest.raises(ValueError, match="must be numeric"):
            estimator.predict(array[:, ::-1])

    def test_missing_values_are_refused(self, measured):
        X, y = measured
        X["T"] = X["T"].astype(float)
        X.loc[5, "T"] = np.nan
        with pytest.raises(ValueError, match=r"column 'T' .* missing .* row 5"):
            tiny_crabnet().fit(X, y)

    @pytest.mark.parametrize("value", [0.1, 300.0, 1e200])
    def test_constant_columns_do_no_harm(self, some_formulas, value):
        X, y = some_formulas
        frame = pd.DataFrame({"formula": X, "T": value})
        estimator = tiny_crabnet().fit(frame, y)
        assert estimator._extra_scale.tolist() == [1.0]
        assert np.isfinite(estimator.predict(frame)).all()

    def test_missing_column_is_refused(self, measured):
        X, y = measured
        estimator = tiny_crabnet().fit(X, y)
        with pytest.raises(ValueError, match="Feature names must be in the same order"):
            estimator.predict(X[["formula", "T"]])
        with pytest.raises(ValueError, match="now missing"):
            estimator.predict(X[["formula"]])

    def test_formula_column_by_name(self, measured):
        X, y = measured
        expected = tiny_crabnet().fit(X, y).predict(X)
        two = X.assign(other="NaCl")
        with pytest.raises(ValueError, match="'formula', 'other'"):
            tiny_crabnet().fit(two, y)
        named = tiny_crabnet(formula_column="formula").fit(X, y)
        assert np.array_equal(named.predict(X), expected)


class TestTargets:
    def test_two_targets_with_gaps(self, some_formulas):
        X, y = some_formulas
        Y = np.column_stack([y, -3 * y + 1])
        Y[::2, 1] = np.nan
        mean, std = tiny_crabnet().fit(X, Y).predict(X, return_std=True)
        assert mean.shape == std.shape == (60, 2)
        assert np.isfinite(mean).all()
        assert (std > 0).all()

    def test_gaps_do_not_touch_training(self, some_formulas):
        """A sample without any label may as well not be there, whatever its formula."""
        X, y = some_formulas
        Y = np.column_stack([y, y])
        Y[10] = np.nan
        swapped = X.copy()
        swapped[10] = "Og2Ts"
        first = tiny_crabnet(fraction_noise=0.0, batch_size=100).fit(X, Y)
        again = tiny_crabnet(fraction_noise=0.0, batch_size=100).fit(swapped, Y)
        np.testing.assert_allclose(first.predict(X), again.predict(X), rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("shape", [(60,), (60, 1), (60, 3)])
    def test_shape_is_kept(self, some_formulas, shape):
        X, y = some_formulas
        Y = np.broadcast_to(y.reshape(-1, *(1 for _ in shape[1:])), shape)
        assert tiny_crabnet().fit(X, Y).predict(X).shape == shape

    def test_nan_in_one_dimension_is_refused(self, some_formulas):
        X, y = some_formulas
        y[4] = np.nan
        with pytest.raises(ValueError, match="NaN in row 4"):
            tiny_crabnet().fit(X, y)

    def test_infinity_is_refused_with_its_row(self, some_formulas):
        X, y = some_formulas
        y[4] = -np.inf
        with pytest.raises(ValueError, match=r"contains infinity .*: row 4 holds -inf"):
            tiny_crabnet().fit(X, y)

    def test_target_without_labels_is_refused(self, some_formulas):
        X, y = some_formulas
        with pytest.raises(ValueError, match="target 1 of y has no label"):
            tiny_crabnet().fit(X, np.column_stack([y, np.full(60, np.nan)]))
        frame = pd.DataFrame({"gap": y, "density": np.nan})
        with pytest.raises(ValueError, match="target 'density' of y has no label"):
            tiny_crabnet().fit(X, frame)

    @pytest.mark.parametrize("loss", ["absolute_error", "squared_error", "robust_l1", "robust_l2"])
    def test_constant_target_is_predicted(self, some_formulas, loss):
        """crabnet divides by a standard deviation of 0 here."""
        X, _ = some_formulas
        estimator = tiny_crabnet(loss=loss, max_epochs=60).fit(X, np.full(60, 3.7))
        mean, std = estimator.predict(X, return_std=True)
        assert np.isfinite(std).all()
        np.testing.assert_allclose(mean, 3.7, atol=1)

    @pytest.mark.parametrize("scale", [1e-30, 1e30, 1e300])
    def test_units_do_not_matter(self, some_formulas, scale):
        X, y = some_formulas
        expected, expected_std = tiny_crabnet().fit(X, y).predict(X, return_std=True)
        mean, std = tiny_crabnet().fit(X, y * scale).predict(X, return_std=True)
        np.testing.assert_allclose(mean / scale, expected, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(std / scale, expected_std, rtol=1e-3)

    @pytest.mark.parametrize(
        "transform",
        ["log", "yeo-johnson", QuantileTransformer(n_quantiles=20, output_distribution="normal")],
        ids=str,
    )
    def test_target_transform(self, some_formulas, transform):
        X, y = some_formulas
        y = np.exp(2 * y)
        estimator = tiny_crabnet(target_transform=transform, max_epochs=60).fit(X, y)
        mean, std = estimator.predict(X, return_std=True)
        assert (mean > 0).all() or transform != "log"
        assert (std > 0).all()
        # In the target's units: errors of a lognormal target grow with it.
        assert np.corrcoef(mean, std)[0, 1] > 0.3 or transform != "log"
        assert np.corrcoef(mean, y)[0, 1] > 0.5

    def test_log_of_nothing_is_refused(self, some_formulas):
        X, y = some_formulas
        with pytest.raises(ValueError, match="above zero; row"):
            tiny_crabnet(target_transform="log").fit(X, y)

    def test_conflicting_targets_warn(self):
        with pytest.warns(ConflictingTargetsWarning, match=r"2 of 4 samples.* row 1 that of row 0"):
            tiny_crabnet().fit(["Fe2O3", "O3Fe2", "Fe4O6", "NaCl"], [1.0, 2.0, 3.0, 1.0])

    def test_conflicts_behind_a_missing_label_warn(self):
        y = [[np.nan, 1.0], [0.0, 1.0], [5.0, 1.0]]
        with pytest.warns(ConflictingTargetsWarning, match="1 of 3"):
            tiny_crabnet().fit(["NaCl"] * 3, y)

    def test_labels_that_complete_each_other_do_not_conflict(self):
        X, y = ["NaCl", "ClNa", "MgO"], [[1.0, np.nan], [np.nan, 2.0], [3.0, 4.0]]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tiny_crabnet().fit(X, y)

    @pytest.mark.parametrize("transform", ["log", "yeo-johnson"])
    def test_samples_of_weight_zero_decide_nothing(self, some_formulas, transform):
        X, y = some_formulas
        weights = np.where(np.arange(60) < 50, 1.0, 0.0)
        settings = {"target_transform": transform}
        expected = tiny_crabnet(**settings).fit(X, np.exp(y), sample_weight=weights).predict(X)
        spoilt = np.where(weights > 0, np.exp(y), -1e3)
        got = tiny_crabnet(**settings).fit(X, spoilt, sample_weight=weights).predict(X)
        np.testing.assert_allclose(got, expected, rtol=1e-6)

    @pytest.mark.parametrize("text", [["a"] * 60, np.array(["a"] * 60), pd.Series(["a"] * 60)])
    def test_text_is_told_to_be_for_classifiers(self, some_formulas, text):
        with pytest.raises(ValueError, match=r"y holds text.*CrabNetClassifier"):
            tiny_crabnet().fit(some_formulas[0], text)

    def test_the_one_text_among_numbers_is_named(self, some_formulas):
        X, y = some_formulas
        y = y.astype(str).astype(object)
        y[7] = "n/a"
        with pytest.raises(ValueError, match="such as 'n/a' in row 7"):
            tiny_crabnet().fit(X, y)

    def test_length_mismatch(self, some_formulas):
        X, y = some_formulas
        with pytest.raises(ValueError, match="inconsistent"):
            tiny_crabnet().fit(X, y[:-1])


class TestTraining:
    @pytest.mark.parametrize("loss", ["absolute_error", "squared_error", "robust_l1", "robust_l2"])
    def test_learns(self, formation_enthalpy, loss):
        X, y = formation_enthalpy
        estimator = tiny_crabnet(
            loss=loss, d_model=32, dim_feedforward=64, max_epochs=15, random_state=3
        ).fit(X[::2], y[::2])
        assert estimator.score(X[1::2], y[1::2]) > 0.6
        mean, std = estimator.predict(X[1::2], return_std=True)
        error = np.abs(mean - y[1::2])
        assert (std > 0).all()
        # Half of the errors within about 0.3 to 1.5 standard deviations: of the right size.
        assert 0.2 < np.median(error / std) < 1.5

    def test_same_seed_same_result(self, some_formulas):
        X, y = some_formulas
        first, again, other = (
            tiny_crabnet(dropout=0.2, n_estimators=2, random_state=seed).fit(X, y).predict(X)
            for seed in (0, 0, 1)
        )
        assert np.array_equal(first, again)
        assert not np.allclose(first, other)

    @pytest.mark.parametrize("members", [1, 3])
    def test_threads_do_not_matter(self, some_formulas, members):
        X, y = some_formulas
        predictions = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            estimator = CrabNetRegressor(max_epochs=3, n_estimators=members, random_state=0)
            estimator.fit(X, y)
            assert torch.get_num_threads() == threads
            torch.set_num_threads(1)
            predictions.append(estimator.predict(X))
        assert np.array_equal(*predictions)

    def test_global_random_states_are_left_alone(self, some_formulas):
        X, y = some_formulas

        def states():
            return (
                random.getstate(),
                np.random.get_state()[1].tolist(),  # noqa: NPY002, the state to leave alone
                torch.get_rng_state().tolist(),
            )

        before = states()
        tiny_crabnet(dropout=0.1, random_state=None).fit(X, y).predict(X)
        after = states()
        # random_state=None draws the seed from numpy's global state, as scikit-learn does.
        assert before[0] == after[0]
        assert before[2] == after[2]
        tiny_crabnet(dropout=0.1).fit(X, y)
        assert states() == after

    def test_fits_side_by_side_do_not_disturb_each_other(self, some_formulas):
        X, y = some_formulas
        before = torch.get_rng_state()

        def predict(seed):
            return tiny_crabnet(random_state=seed).fit(X, y).predict(X)

        expected = [predict(seed) for seed in range(6)]
        with ThreadPoolExecutor(4) as pool:
            got = list(pool.map(predict, range(6)))
        assert np.array_equal(got, expected)
        assert torch.equal(torch.get_rng_state(), before)

    def test_fits_side_by_side_restore_the_threads(self, some_formulas):
        """The second of them must not take the first one's limit for the user's."""
        X, y = some_formulas
        torch.set_num_threads(2)
        with ThreadPoolExecutor(2) as pool:
            for model in pool.map(lambda _: tiny_crabnet(max_epochs=20).fit(X, y), range(2)):
                assert len(model.nets_) == 1
        found = []
        thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert [*found, torch.get_num_threads()] == [2, 2]

    def test_divergence_is_told(self, some_formulas):
        X, y = some_formulas
        with pytest.raises(ValueError, match="training diverged"):
            tiny_crabnet(learning_rate=1e30).fit(X, y)

    def test_a_failing_member_stops_the_others(self, some_formulas):
        X, y = some_formulas

        class Fail(Callback):
            def on_epoch_end(self, net, **kwargs):
                if net.history[-1]["epoch"] == 2:
                    raise OSError("the disk is full")

        torch.set_num_threads(2)
        n_threads = threading.active_count()
        estimator = tiny_crabnet(callbacks=[Fail()], n_estimators=4, max_epochs=100_000)
        with pytest.raises(OSError, match="disk is full"):
            estimator.fit(X, y)
        assert threading.active_count() == n_threads
        with pytest.raises(NotFittedError):
            estimator.predict(X)

    def test_failed_fit_leaves_no_half_changed_model(self, some_formulas):
        X, y = some_formulas
        estimator = tiny_crabnet().fit(X, y)
        with pytest.raises(ValueError, match="teapot"):
            estimator.set_params(device="teapot").fit(X, 100 * y)
        with pytest.raises(NotFittedError):
            estimator.predict(X)

    def test_second_fit_starts_afresh(self, some_formulas):
        X, y = some_formulas
        once = tiny_crabnet().fit(X, y).predict(X)
        twice = tiny_crabnet().fit(X, -5 * y).fit(X, y).predict(X)
        assert np.array_equal(once, twice)

    def test_warm_start_goes_on(self, some_formulas):
        X, y = some_formulas
        cold = tiny_crabnet(max_epochs=20).fit(X, y)
        warm = clone(cold).set_params(warm_start=True).fit(X, y).fit(X, y)
        assert warm.history_[0][0]["train_loss"] < cold.history_[0][0]["train_loss"]
        for changed in ({"embedding": "random_200"}, {"n_heads": 4}, {"d_model": 32}):
            with pytest.raises(ValueError, match="warm_start"):
                clone(warm).fit(X, y).set_params(**changed).fit(X, y)

    @pytest.mark.parametrize(
        "changed",
        [
            lambda X, y: ({}, np.column_stack([X.astype(object), y]), y),
            lambda X, y: ({}, X, y[:, None]),
            lambda X, y: ({}, X, np.column_stack([y, y])),
            lambda X, y: ({"target_transform": "yeo-johnson"}, X, y),
            lambda X, y: ({"embedding": "onehot"}, X, y),
            lambda X, y: ({"d_model": 32}, X, y),
            lambda X, y: ({"cbfv": "magpie"}, X, y),
            lambda X, y: ({"early_stopping": True}, X, y),
        ],
    )
    def test_a_refused_warm_start_leaves_the_model_as_it_was(self, some_formulas, changed):
        X, y = (np.asarray(part) for part in some_formulas)
        estimator = tiny_crabnet(warm_start=True).fit(X, y)
        before = estimator.predict(X)
        parameters, other_X, other_y = changed(X, y)
        with pytest.raises(ValueError, match=r"warm_start|features|shape"):
            estimator.set_params(**parameters).fit(other_X, other_y)
        assert np.array_equal(estimator.predict(X), before)
        assert estimator.n_features_in_ == 1

    def test_warm_start_holds_columns_to_their_names(self, some_formulas):
        X, y = some_formulas
        frame = pd.DataFrame({"formula": X, "T": y})
        estimator = tiny_crabnet(warm_start=True).fit(frame, y)
        with pytest.raises(ValueError, match="feature names"):
            estimator.fit(frame.rename(columns={"T": "p"}), y)

    def test_warm_start_drops_no_member(self, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet(warm_start=True, n_estimators=2).fit(X, y)
        with pytest.raises(ValueError, match=r"2 members.*n_estimators=1 must not be below"):
            model.set_params(n_estimators=1).fit(X, y)
        assert len(model.nets_) == 2

    def test_a_column_that_is_missing_is_named(self, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet().fit(pd.DataFrame({"formula": X, "T": y}), y)
        with pytest.raises(ValueError, match=r"1 features.*the columns \['formula', 'T'\]"):
            model.predict(X)

    def test_validation_data_must_be_a_pair(self, some_formulas):
        X, y = some_formulas
        with pytest.raises(ValueError, match=r"pair \(X, y\)"):
            tiny_crabnet().fit(X, y, validation_data=X)

    def test_score_leaves_missing_labels_out(self, some_formulas):
        """So that a search with the default score does not end in NaN."""
        X, y = some_formulas
        Y = np.column_stack([y, -y])
        model = tiny_crabnet().fit(X, Y)
        predicted = model.predict(X)
        assert model.score(X, Y) == r2_score(Y, predicted)
        Y[::2, 1] = np.nan
        expected = (r2_score(y, predicted[:, 0]) + r2_score(-y[1::2], predicted[1::2, 1])) / 2
        assert model.score(X, Y) == pytest.approx(expected)
        search = GridSearchCV(tiny_crabnet(), {"d_model": [8, 16]}, cv=KFold(2))
        assert np.isfinite(search.fit(X, Y).best_score_)

    def test_callbacks_that_score_are_refused(self, some_formulas):
        with pytest.raises(ValueError, match=r"EpochScoring.*validation_data"):
            tiny_crabnet(callbacks=[EpochScoring("r2")]).fit(*some_formulas)

    def test_warm_start_keeps_the_scale(self, some_formulas):
        X, y = some_formulas
        estimator = tiny_crabnet(warm_start=True, max_epochs=20).fit(X, y)
        expected = estimator.predict(X)
        estimator.set_params(learning_rate=1e-12, max_epochs=1).fit(X[:5], 10 + y[:5])
        np.testing.assert_allclose(estimator.predict(X), expected, rtol=1e-4, atol=1e-5)

    def test_members_differ_and_widen_the_std(self, some_formulas):
        X, y = some_formulas
        ensemble = tiny_crabnet(n_estimators=3).fit(X, y)
        assert len(ensemble.nets_) == len(ensemble.history_) == 3
        weights = [net.module_.embed.weight for net in ensemble.nets_]
        assert not torch.equal(weights[0], weights[1])
        (rows, outputs), *_ = ensemble._member_outputs(X, ensemble._networks())
        mean, std = ensemble.predict(X[rows], return_std=True)
        scale = y.std()
        np.testing.assert_allclose(mean, outputs.mean[:, :, 0].mean(0) * scale + y.mean())
        variance = (outputs.sigma**2).mean(0) + outputs.mean.var(0)
        np.testing.assert_allclose(std, np.sqrt(variance[:, 0]) * scale)

    def test_dropout_is_on_in_every_epoch(self, some_formulas):
        """crabnet switches it off after the first."""
        X, y = some_formulas

        class Mode(Callback):
            def on_train_begin(self, net, **kwargs):
                self.modes = []

            def on_batch_end(self, net, training=False, **kwargs):
                self.modes.append((training, net.online_.training))

        estimator = tiny_crabnet(callbacks=[Mode()], early_stopping=True).fit(X, y)
        later = [mode for training, mode in estimator.callbacks_[0][0].modes[3:] if training]
        assert later
        assert all(later)

    def test_sample_weight(self, some_formulas):
        X, y = some_formulas
        weights = np.zeros(60)
        weights[:30] = 2.5
        weighted = tiny_crabnet().fit(X, y, sample_weight=weights).predict(X)
        # Mean and scale come from the weighted samples, training from nothing else.
        poisoned = np.where(weights > 0, y, 1e6)
        np.testing.assert_allclose(
            tiny_crabnet().fit(X, poisoned, sample_weight=weights).predict(X), weighted, rtol=1e-6
        )
        heavy = np.where(np.arange(60) < 30, 1.0, 100.0)
        shifted = np.where(np.arange(60) < 30, 0.0, 1.0)
        mean = tiny_crabnet(max_epochs=1).fit(X, shifted, sample_weight=heavy).predict(X).mean()
        assert mean > 0.8

    def test_early_stopping(self, some_formulas):
        X, _ = some_formulas
        noise = np.random.default_rng(0).normal(size=60)
        estimator = tiny_crabnet(
            early_stopping=True, n_iter_no_change=3, max_epochs=60, validation_fraction=0.3
        ).fit(X, noise)
        losses = [epoch["valid_loss"] for epoch in estimator.history_[0]]
        assert len(losses) < 60
        assert np.argmin(losses) == len(losses) - 4

    def test_validation_data_is_not_trained_on(self, some_formulas):
        X, y = some_formulas
        plain = tiny_crabnet().fit(X[:40], y[:40])
        validated = tiny_crabnet().fit(X[:40], y[:40], validation_data=(X[40:], y[40:]))
        assert np.array_equal(plain.predict(X), validated.predict(X))
        assert "valid_loss" in validated.history_[0][-1]
        assert "valid_loss" not in plain.history_[0][-1]

    def test_callbacks_are_cloned(self, some_formulas):
        X, y = some_formulas

        class Counter(Callback):
            def on_train_begin(self, net, **kwargs):
                self.epochs = 0

            def on_epoch_end(self, net, **kwargs):
                self.epochs += 1

        mine = Counter()
        estimator = tiny_crabnet(callbacks=[mine, ("named", Counter())], n_estimators=2).fit(X, y)
        assert not hasattr(mine, "epochs")
        assert [[c.epochs for c in member] for member in estimator.callbacks_] == [[3, 3], [3, 3]]

    def test_progress(self, some_formulas, capsys):
        X, y = some_formulas
        tiny_crabnet().fit(X, y)
        assert capsys.readouterr() == ("", "")
        tiny_crabnet(progress=True, n_estimators=2).fit(X, y)
        shown = capsys.readouterr().err
        assert "6/6" in shown
        assert "train_loss" in shown

    def test_writes_nothing(self, some_formulas, tmp_path, monkeypatch, capsys):
        """crabnet plots and writes files by default."""
        X, y = some_formulas
        monkeypatch.chdir(tmp_path)
        tiny_crabnet().fit(X, y).predict(X)
        assert list(tmp_path.iterdir()) == []
        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize("n", [1, 2, 17])
    def test_few_samples(self, some_formulas, n):
        X, y = some_formulas
        assert np.isfinite(tiny_crabnet().fit(X[:n], y[:n]).predict(X)).all()


class TestAlloys:
    """Steels that differ by a percent: fractions are standardised element by element."""

    @pytest.fixture
    def steels(self):
        carbon = np.linspace(1e-4, 2e-2, 40)
        X = np.array([f"Fe{0.8 - c:.5f}Cr0.2C{c:.5f}" for c in carbon], dtype=object)
        return X, carbon * 1e4

    def test_the_parameter_matters(self, steels):
        X, y = steels
        first = tiny_crabnet().fit(X, y).predict(X)
        without = tiny_crabnet(standardize_fractions=False).fit(X, y).predict(X)
        assert not np.allclose(first, without, rtol=1e-3)

    def test_a_trend_within_two_percent_is_learnt(self, steels):
        X, y = steels
        model = tiny_crabnet(max_epochs=60, dropout=0.0).fit(X[::2], y[::2])
        assert model.score(X[1::2], y[1::2]) > 0.9

    def test_warm_start_keeps_the_statistics(self, steels):
        X, y = steels
        estimator = tiny_crabnet(warm_start=True).fit(X, y)
        before = estimator.nets_[0].module_.standardized.mean.clone()
        estimator.fit(X[:5], y[:5])
        assert torch.equal(estimator.nets_[0].module_.standardized.mean, before)

    def test_samples_of_weight_zero_do_not_count(self, steels):
        X, y = steels
        other = X.copy()
        other[:10] = "Fe0.1Cr0.9"
        weights = np.r_[np.zeros(10), np.ones(30)]
        means = [
            tiny_crabnet()
            .fit(formulas, y, sample_weight=weights)
            .nets_[0]
            .module_.standardized.mean
            for formulas in (X, other)
        ]
        assert torch.equal(*means)


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
        amounts = np.random.default_rng(0).random((60, 5))
        for form in (frame, amounts):
            estimator = tiny_crabnet().fit(form, y)
            expected = estimator.predict(form)
            with monkeypatch.context() as patch:
                patch.setattr("crabsk.neural_network._prediction.READING_CHUNK", 11)
                np.testing.assert_allclose(estimator.predict(form), expected, rtol=1e-5, atol=1e-6)

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
        estimator = tiny_crabnet(early_stopping=True, progress=False).fit(X, y)
        if dump:
            loaded = pickle.loads(dump(estimator))
        else:
            joblib.dump(estimator, tmp_path / "model")
            loaded = joblib.load(tmp_path / "model")
        assert np.array_equal(loaded.predict(X), estimator.predict(X))

    def test_pickle_holds_the_weights_once(self, some_formulas):
        X, y = some_formulas
        estimator = tiny_crabnet(d_model=128, dim_feedforward=512).fit(X, y)
        state = estimator.nets_[0].module_.state_dict()
        weights = sum(value.numel() * value.element_size() for value in state.values())
        assert len(pickle.dumps(estimator)) < 1.5 * weights + 300_000


class TestParameters:
    def test_embeddings_give_different_models(self, some_formulas):
        """crabnet accepts elem_prop and uses mat2vec all the same."""
        X, y = some_formulas
        predictions = [
            tiny_crabnet(embedding=e).fit(X, y).predict(X) for e in ("mat2vec", "magpie", "onehot")
        ]
        assert not np.allclose(predictions[0], predictions[1])
        assert not np.allclose(predictions[0], predictions[2])

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("d_model", 24),
            ("n_layers", 2),
            ("n_heads", 4),
            ("dim_feedforward", 48),
            ("head_widths", (24,)),
            ("norm_first", False),
            ("cbfv", "magpie"),
            ("dropout", 0.3),
            ("fraction_noise", 0.2),
            ("loss", "squared_error"),
            ("target_transform", "yeo-johnson"),
            ("max_epochs", 4),
            ("batch_size", 8),
            ("learning_rate", 1e-3),
            ("weight_decay", 0.5),
            ("n_estimators", 2),
            ("precision", "bfloat16"),
            ("random_state", 1),
        ],
    )
    def test_every_parameter_matters(self, some_formulas, name, value):
        """crabnet accepts out_hidden, bias and others, and ignores them."""
        X, y = some_formulas
        plain = tiny_crabnet().fit(X, y).predict(X)
        changed = tiny_crabnet(**{name: value}).fit(X, y).predict(X)
        assert not np.allclose(plain, changed, rtol=1e-6)

    def test_training_length_falls_with_the_number_of_samples(self, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet(max_epochs="auto").fit(X, y)
        assert len(model.history_[0]) == 60
        lengths = [model._n_epochs(n) for n in (10_000, 40_000, 250_000)]
        assert lengths == [60, 30, 12]

    def test_fit_changes_no_parameter(self, some_formulas):
        X, y = some_formulas
        estimator = tiny_crabnet()
        before = repr(estimator.get_params())
        estimator.fit(X, y)
        assert repr(estimator.get_params()) == before

    def test_presets(self):
        paper = CrabNetRegressor.from_preset("paper", random_state=3)
        assert paper.random_state == 3
        statistics = fraction_statistics(torch.tensor([26, 6] * 9), torch.tensor([0.9, 0.1] * 9))
        module = paper._build_module(torch.zeros(118, 200), statistics, 1, 0)
        assert isinstance(module, CrabNet)
        assert sum(p.numel() for p in module.parameters()) == 11_987_206
        default = CrabNetRegressor.from_preset("default")
        assert default.get_params() == CrabNetRegressor().get_params()
        with pytest.raises(ValueError, match="'accurate', 'default', 'fast', 'paper'"):
            CrabNetRegressor.from_preset("best")

    @pytest.mark.parametrize("name", ["fast", "default", "accurate", "paper"])
    def test_presets_fit(self, some_formulas, name):
        X, y = some_formulas
        estimator = CrabNetRegressor.from_preset(name, max_epochs=1, n_estimators=1)
        assert np.isfinite(estimator.fit(X, y).predict(X)).all()

    @pytest.mark.parametrize("widths", [(), (0,), (-3,), ("a",)])
    def test_bad_head_widths(self, some_formulas, widths):
        X, y = some_formulas
        with pytest.raises(ValueError, match="head_widths"):
            tiny_crabnet(head_widths=widths).fit(X, y)

    def test_unknown_device(self, some_formulas):
        X, y = some_formulas
        with pytest.raises(ValueError, match="teapot"):
            tiny_crabnet(device="teapot").fit(X, y)

    def test_absent_gpu(self, some_formulas, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(ValueError, match="no CUDA GPU here"):
            tiny_crabnet(device="cuda").fit(*some_formulas)
