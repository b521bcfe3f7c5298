"""AutoRegressor and AutoClassifier as files."""

import numpy as np
import pandas as pd
import pytest
from automl_candidates import Sleeping, auto, on_amounts
from sklearn.dummy import DummyRegressor
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from crabsk import AutoClassifier, AutoRegressor, CompositionTransformer, load_model, save_model


class TestFiles:
    def test_round_trip(self, some_formulas, quick, tmp_path):
        X, y = some_formulas
        model = auto(quick).fit(X, y)
        save_model(model, tmp_path / "model")
        again = load_model(tmp_path / "model")
        for one, two in zip(
            model.predict(X, return_std=True), again.predict(X, return_std=True), strict=True
        ):
            np.testing.assert_array_equal(one, two)
        pd.testing.assert_frame_equal(again.leaderboard_, model.leaderboard_)

    def test_all_of_the_portfolio_but_networks(self, some_formulas, tmp_path):
        X, y = some_formulas
        y = np.random.default_rng(0).permutation(y)  # which the pretrained weights do not know
        names = ["extra_trees_pretrained", "boosting", "support_vectors", "gaussian_process"]
        model = AutoRegressor(names, cv=2, scoring="r2", random_state=0).fit(X[:60], y[:60])
        save_model(model, tmp_path / "model")
        np.testing.assert_array_equal(load_model(tmp_path / "model").predict(X), model.predict(X))

    def test_classifiers(self, some_formulas, tmp_path):
        X, y = some_formulas
        y = np.random.default_rng(0).permutation(y)
        names = ["boosting", "logistic_regression", "extra_trees"]
        model = AutoClassifier(names, cv=2, random_state=0).fit(X, np.where(y > -1, "high", "low"))
        save_model(model, tmp_path / "model")
        again = load_model(tmp_path / "model")
        np.testing.assert_array_equal(again.predict(X), model.predict(X))

    def test_models_of_others_are_refused(self, some_formulas, tmp_path):
        X, y = some_formulas
        with pytest.raises(TypeError, match=r"does not vouch for .*Sleeping"):
            save_model(auto({"own": Sleeping()}).fit(X, y), tmp_path / "model")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("cv", [KFold(2), 2])
    def test_what_it_was_searched_with_is_left_out(self, cv, some_formulas, tmp_path):
        X, y = some_formulas
        scoring = make_scorer(mean_absolute_error, greater_is_better=False)
        model = auto({"ridge": on_amounts()}, cv=cv, scoring=scoring).fit(X, y)
        save_model(model, tmp_path / "model")
        again = load_model(tmp_path / "model")
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        assert model.cv == cv

    def test_another_version_warns(self, some_formulas, tmp_path, monkeypatch):
        X, y = some_formulas
        model = auto({"ridge": on_amounts()}).fit(X, y)
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr("crabsk.automl._storage.__version__", "99.0")
            save_model(model, tmp_path / "model")
        with pytest.warns(UserWarning, match=r"saved with crabsk 99\.0"):
            load_model(tmp_path / "model")

    def test_nearest_neighbours_are_refused(self, some_formulas, tmp_path):
        """scikit-learn follows the indices in their trees without a look."""
        X, y = some_formulas
        near = make_pipeline(CompositionTransformer(stats="amount"), KNeighborsRegressor())
        with pytest.raises(TypeError, match="KNeighborsRegressor"):
            save_model(auto({"near": near}).fit(X, y), tmp_path / "model")

    def test_support_vectors_that_do_not_fit_are_refused(self, some_formulas, tmp_path):
        X, y = some_formulas
        model = auto(["support_vectors"], weights=None).fit(X, y)
        machine = model.estimators_["support_vectors"][0].regressor_[-1]
        machine._dual_coef_ = machine._dual_coef_[:, :1]
        save_model(model, tmp_path / "model")
        with pytest.raises(ValueError, match="do not fit together"):
            load_model(tmp_path / "model")

    def test_damaged_files(self, some_formulas, quick, tmp_path):
        X, y = some_formulas
        save_model(auto({"mean": DummyRegressor()}).fit(X, y), tmp_path / "model")
        whole = (tmp_path / "model").read_bytes()
        (tmp_path / "model").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ValueError, match="not whole"):
            load_model(tmp_path / "model")

    @pytest.mark.parametrize(("column", "value"), [("left_child", 10**6), ("feature", 10**6)])
    def test_trees_that_lead_out_are_refused(self, column, value, some_formulas, tmp_path):
        X, y = some_formulas
        model = AutoRegressor(["extra_trees"], cv=2, random_state=0).fit(X, y)
        forest = model.estimators_["extra_trees"][0]
        tree = forest.estimators_[0].tree_
        state = tree.__getstate__()
        state["nodes"][column][0] = value
        tree.__setstate__(state)
        save_model(model, tmp_path / "model")
        with pytest.raises(ValueError, match="lead out of it"):
            load_model(tmp_path / "model")
