import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.model_selection import KFold, RepeatedKFold

from crabsk import AutoClassifier
from crabsk.automl import compare_models
from crabsk.automl._compare import difference
from crabsk.composition import reduced_formula


def test_equal_models_do_not_differ(some_formulas, quick):
    X, y = some_formulas
    table = compare_models(X, y, {"a": DummyRegressor(), "b": DummyRegressor()}, cv=4)
    assert table["difference"].tolist() == [0, 0]
    assert table["p_value"].isna().all()


def test_the_best_comes_first(some_formulas, quick):
    X, y = some_formulas
    table = compare_models(X, y, {name: quick[name] for name in ("mean", "trees")}, cv=4)
    assert table.index[0] == "trees"
    assert table["mean"].is_monotonic_decreasing
    folds = table[[f"fold_{k}" for k in range(4)]]
    np.testing.assert_allclose(folds.mean(axis=1), table["mean"])
    np.testing.assert_allclose(table.loc["mean", "difference"], table["mean"].diff().iloc[1])
    assert (table["low"] <= table["difference"]).all()
    assert (table["difference"] <= table["high"]).all()


def test_no_composition_is_in_two_folds(some_formulas):
    """Copies of the samples would give the targets away."""
    X, y = some_formulas

    class Memory(DummyRegressor):
        def fit(self, X, y):
            self.known_ = set(reduced_formula(X))
            return super().fit(X, y)

        def predict(self, X):
            assert not self.known_ & set(reduced_formula(X))
            return super().predict(X)

    compare_models([*X, *X], [*y, *y], {"memory": Memory()}, cv=3)


def test_splitters_may_repeat(some_formulas):
    X, y = some_formulas
    cv = RepeatedKFold(n_splits=3, n_repeats=2, random_state=0)
    table = compare_models(X, y, {"mean": DummyRegressor()}, cv=cv)
    assert "fold_5" in table


def test_classes(some_formulas):
    X, y = some_formulas
    models = {name: DummyClassifier(strategy=name) for name in ("prior", "most_frequent")}
    table = compare_models(X, y > np.median(y), models, cv=3)
    assert table.index[0] == "prior"


@pytest.mark.parametrize(
    "y", [["a", "a", "a", "b", "b", "b", "c"], ["a", "a", "b", "b", "b", "b", "b"]]
)
def test_classes_that_a_fold_lacks(y):
    """Some folds are tested without a class, and some are trained without one."""
    X = ["NaCl", "KCl", "NaBr", "KBr", "MgO", "CaO", "Cu"]
    models = {"prior": DummyClassifier()}
    one, two = (
        compare_models(X, y, models, cv=KFold(3), scoring=scoring).filter(like="fold")
        for scoring in (None, "neg_log_loss")
    )
    pd.testing.assert_frame_equal(one, two)
    auto = AutoClassifier(models, cv=KFold(3)).fit(X, y)
    np.testing.assert_allclose(one.loc["prior"], auto.leaderboard_.filter(like="fold").loc["prior"])


def test_formulas_are_not_computed_one_by_one(some_formulas, computed):
    X, y = computed(some_formulas[0]), some_formulas[1]
    compare_models(X, y, {"mean": DummyRegressor()}, cv=3)
    assert X.n_asked < 10  # scikit-learn looks at the first


def test_no_models(some_formulas):
    with pytest.raises(ValueError, match="empty"):
        compare_models(*some_formulas, {})


def test_names_are_no_models(some_formulas):
    with pytest.raises(TypeError, match="'a' is 'extra_trees'"):
        compare_models(*some_formulas, {"a": "extra_trees"})


def test_the_correction_widens():
    """With n_test / n_train = 1/4 and five folds, errors are 1.5 times those of the usual test."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5))
    usual, corrected = difference(a, b, 0.0), difference(a, b, 1 / 4)
    widths = [its["high"] - its["low"] for its in (usual, corrected)]
    assert widths[1] / widths[0] == pytest.approx(1.5)
    assert corrected["p_value"] > usual["p_value"]
