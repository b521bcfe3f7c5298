"""Targets of regressors: gaps, shapes, units, transforms, conflicts."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import QuantileTransformer
from tiny import tiny_crabnet

from crabsk.neural_network import ConflictingTargetsWarning


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

    @pytest.mark.parametrize("dtype", ["Float64", "float64[pyarrow]", "Int64", object])
    def test_score_takes_the_targets_that_fit_takes(self, some_formulas, dtype):
        X, y = some_formulas
        y = pd.Series(np.round(10 * y), dtype=dtype)
        model = tiny_crabnet().fit(X, y)
        assert model.score(X, y) == pytest.approx(model.score(X, np.round(10 * some_formulas[1])))
        gaps = pd.concat([y, y], axis=1, keys=["a", "b"])
        gaps.loc[3, "b"] = None
        assert np.isfinite(tiny_crabnet().fit(X, gaps).score(X, gaps))

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
        with pytest.warns(ConflictingTargetsWarning, match="2 of 4 .* Fe2O3 in rows 0 and 1"):
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
