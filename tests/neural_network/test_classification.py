"""Classes: what holds for every classifier."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import cross_val_score, train_test_split
from tiny import CLASSIFIERS, tiny

from crabsk import CrabNetClassifier
from crabsk.neural_network import ConflictingTargetsWarning


@pytest.fixture
def three_classes(some_formulas):
    """60 formulas and whether they are bound weakly, well or strongly."""
    X, y = some_formulas
    names = np.array(["strong", "weak", "well"], dtype=object)
    return X, names[np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))]


@pytest.mark.parametrize("cls", CLASSIFIERS)
class TestEveryNetwork:
    def test_probabilities(self, cls, three_classes):
        X, y = three_classes
        model = tiny(cls, n_estimators=2).fit(X, y)
        probabilities = model.predict_proba(X)
        assert model.classes_.tolist() == ["strong", "weak", "well"]
        assert probabilities.shape == (60, 3)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        np.testing.assert_allclose(model.predict_log_proba(X), np.log(probabilities))
        np.testing.assert_allclose(model.decision_function(X), np.log(probabilities))
        assert np.array_equal(model.predict(X), model.classes_[probabilities.argmax(axis=1)])

    def test_two_classes(self, cls, some_formulas):
        X, y = some_formulas
        model = tiny(cls).fit(X, y < np.median(y))
        probabilities = model.predict_proba(X)
        assert probabilities.shape == (60, 2)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        np.testing.assert_allclose(expit(model.decision_function(X)), probabilities[:, 1])
        assert np.array_equal(model.predict(X), probabilities[:, 1] > 0.5)

    def test_the_ensemble_votes_with_the_mean_probability(self, cls, three_classes):
        X, y = three_classes
        model = tiny(cls, n_estimators=3).fit(X, y)
        expected = model.predict_proba(X)
        members = list(model.nets_)
        alone = []
        for member in members:
            model.nets_ = [member]
            alone.append(model.predict_proba(X))
        np.testing.assert_allclose(np.mean(alone, axis=0), expected)
        assert not np.allclose(alone[0], alone[1])

    def test_several_labels(self, cls, some_formulas):
        X, y = some_formulas
        labels = np.column_stack([y < -1, y < -0.5, y > np.median(y)]).astype(int)
        model = tiny(cls).fit(X, labels)
        probabilities = model.predict_proba(X)
        assert probabilities.shape == (60, 3)
        assert not np.allclose(probabilities.sum(axis=1), 1)
        assert np.array_equal(model.predict(X), (probabilities > 0.5).astype(int))

    def test_one_class(self, cls, some_formulas):
        X, _ = some_formulas
        model = tiny(cls).fit(X, ["metal"] * 60)
        assert (model.predict(X) == "metal").all()
        assert np.array_equal(model.predict_proba(X), np.ones((60, 1)))

    def test_learns(self, cls, formation_enthalpy):
        X, y = formation_enthalpy
        train, test, y_train, y_test = train_test_split(
            X, y < np.median(y), random_state=0, train_size=600
        )
        model = tiny(cls, max_epochs=20, learning_rate=5e-3).fit(train, y_train)
        assert roc_auc_score(y_test, model.decision_function(test)) > 0.85


class TestWeights:
    def test_class_weight_is_a_sample_weight(self, three_classes):
        X, y = three_classes
        weighted = tiny(CrabNetClassifier, class_weight={"strong": 5.0, "weak": 1, "well": 1})
        by_sample = np.where(y == "strong", 5.0, 1.0)
        np.testing.assert_allclose(
            weighted.fit(X, y).predict_proba(X),
            tiny(CrabNetClassifier).fit(X, y, sample_weight=by_sample).predict_proba(X),
            rtol=1e-4,
        )

    def test_balanced_lifts_the_rare_class(self, formation_enthalpy):
        X, y = formation_enthalpy
        X, rare = X[:400], y[:400] < np.quantile(y[:400], 0.1)
        plain, balanced = (
            tiny(CrabNetClassifier, max_epochs=10, class_weight=weight).fit(X, rare)
            for weight in (None, "balanced")
        )
        assert balanced.predict(X).sum() > plain.predict(X).sum()
        assert plain.predict_proba(X)[:, 1].mean() == pytest.approx(0.1, abs=0.05)

    def test_samples_of_weight_zero_decide_nothing(self, three_classes):
        X, y = three_classes
        counted = np.r_[np.ones(40), np.zeros(20)]
        spoilt = y.copy()
        spoilt[40:] = "weak"
        models = [
            tiny(CrabNetClassifier, class_weight="balanced").fit(X, labels, sample_weight=counted)
            for labels in (y, spoilt)
        ]
        assert np.array_equal(models[0].predict_proba(X), models[1].predict_proba(X))

    def test_no_weight_at_all(self, three_classes):
        X, y = three_classes
        with pytest.raises(ValueError, match=r"non-zero|weight above 0"):
            tiny(CrabNetClassifier).fit(X, y, sample_weight=np.zeros(60))

    @pytest.mark.parametrize("weights", [{"weak": -1.0}, {"strong": 0, "weak": 0, "well": 0}])
    def test_impossible_weights(self, three_classes, weights):
        X, y = three_classes
        with pytest.raises(ValueError, match="class_weight"):
            tiny(CrabNetClassifier, class_weight=weights).fit(X, y)

    @pytest.mark.parametrize("scale", [1e307, 1e-310])
    def test_only_ratios_of_sample_weights_matter(self, three_classes, scale):
        X, y = three_classes
        plain, scaled = (
            tiny(CrabNetClassifier).fit(X, y, sample_weight=np.full(60, w)) for w in (1.0, scale)
        )
        np.testing.assert_allclose(scaled.predict_proba(X), plain.predict_proba(X), rtol=1e-5)

    def test_balanced_is_by_weight(self, some_formulas):
        """A sample of weight three counts as three."""
        X, _ = some_formulas
        labels = np.arange(60) < 30
        weights = np.where(labels, 3.0, 1.0)
        rows = np.repeat(np.arange(60), weights.astype(int))
        model = tiny(CrabNetClassifier, class_weight="balanced", max_epochs=1)
        weighted = model.fit(X, labels, sample_weight=weights)._class_weights
        np.testing.assert_allclose(model.fit(X[rows], labels[rows])._class_weights, weighted)
        assert weighted.tolist() == [1.0, pytest.approx(1 / 3)]

    def test_balanced_does_not_count_what_is_held_out(self, some_formulas):
        """Many rows of one composition: whether they are held out shows in the weights."""
        X, _ = some_formulas
        X = np.r_[X, np.full(140, X[0], dtype=object)]
        labels = np.r_[np.arange(60) < 30, np.ones(140, dtype=bool)]
        weights = []
        for seed in range(12):
            model = tiny(
                CrabNetClassifier, class_weight="balanced", n_iter_no_change=10,
                validation_fraction=0.3, max_epochs=1, random_state=seed,
            ).fit(X, labels)  # fmt: skip
            weights.append(model._class_weights[1])
        assert min(weights) < 0.3, "with the many rows, some 20 to 160"
        assert max(weights) > 0.7, "without, some 20 to 20"

    def test_a_class_of_weight_zero_is_not_trained_on(self, three_classes):
        X, y = three_classes
        weights = {"strong": 1.0, "weak": 1.0, "well": 0.0}
        kept = y != "well"
        left_out, absent = (
            tiny(CrabNetClassifier, class_weight=weights).fit(X, y),
            tiny(CrabNetClassifier).fit(X, y, sample_weight=kept.astype(float)),
        )
        np.testing.assert_allclose(left_out.predict_proba(X), absent.predict_proba(X), rtol=1e-5)

    @pytest.mark.parametrize("weight", [np.inf, -1.0])
    def test_weights_must_be_finite(self, some_formulas, weight):
        X, y = some_formulas
        with pytest.raises(ValueError, match="must be finite, not below 0"):
            tiny(CrabNetClassifier, class_weight={False: 1.0, True: weight}).fit(X, y < -0.5)

    def test_not_for_several_labels(self, some_formulas):
        X, y = some_formulas
        labels = np.column_stack([y < -1, y < -0.5]).astype(int)
        with pytest.raises(ValueError, match="class_weight"):
            tiny(CrabNetClassifier, class_weight="balanced").fit(X, labels)


class TestTargets:
    def test_unknown_class_in_validation_samples(self, three_classes):
        X, y = three_classes
        reason = r"X_val, y_val: .*not there in training: \['unheard of'\]"
        with pytest.raises(ValueError, match=reason):
            tiny(CrabNetClassifier).fit(X, y, X_val=X[:1], y_val=["unheard of"])

    def test_validation_loss_is_the_log_loss(self, three_classes):
        X, y = three_classes
        model = tiny(CrabNetClassifier).fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
        expected = log_loss(y[40:], model.predict_proba(X[40:]), labels=model.classes_)
        assert model.history_[0][-1]["valid_loss"] == pytest.approx(expected, rel=1e-4)

    def test_early_stopping(self, three_classes):
        X, y = three_classes
        model = tiny(CrabNetClassifier, n_iter_no_change=2, max_epochs=200).fit(X, y)
        assert len(model.history_[0]) < 200

    def test_held_out_in_proportion(self, some_formulas, monkeypatch):
        """A rare class is on both sides, as in scikit-learn's networks."""
        X, y = some_formulas
        rare = np.argsort(np.argsort(y)) < 4
        hold_out, n_rare = CrabNetClassifier._hold_out, []

        def watched(*args):
            parts = hold_out(*args)
            n_rare.append([int(rare[part].sum()) for part in parts])
            return parts

        monkeypatch.setattr(CrabNetClassifier, "_hold_out", watched)
        settings = {"n_iter_no_change": 10, "validation_fraction": 0.25}
        for seed in range(8):
            tiny(CrabNetClassifier, random_state=seed, **settings).fit(X, rare)
        assert n_rare == [[3, 1]] * 8
        with pytest.raises(ValueError, match=r"validation_fraction=0.25 .* least populated class"):
            tiny(CrabNetClassifier, **settings).fit(X, y == y.min())

    def test_warm_start_with_other_classes(self, three_classes):
        X, y = three_classes
        model = tiny(CrabNetClassifier, warm_start=True).fit(X, y)
        indicator = np.eye(3, dtype=int)[np.searchsorted(model.classes_, y)]
        for other in (np.where(y == "weak", "feeble", y), indicator):
            with pytest.raises(ValueError, match="classes of the previous fit"):
                model.fit(X, other)

    def test_continuous_targets_are_refused(self, some_formulas):
        X, y = some_formulas
        with pytest.raises(ValueError, match="continuous"):
            tiny(CrabNetClassifier).fit(X, y)

    def test_missing_labels_are_refused(self, some_formulas):
        X, y = some_formulas
        labels = (y < -0.5).astype(float)
        labels[7] = np.nan
        with pytest.raises(ValueError, match="y contains NaN"):
            tiny(CrabNetClassifier).fit(X, labels)

    def test_conflicting_classes_warn(self):
        with pytest.warns(ConflictingTargetsWarning, match="1 of 3"):
            tiny(CrabNetClassifier).fit(["NaCl", "Na2Cl2", "Cu"], ["a", "b", "b"])

    def test_series_of_categories(self, three_classes):
        X, y = three_classes
        expected = tiny(CrabNetClassifier).fit(X, y).predict(X)
        series = pd.Series(y, dtype="category", index=np.arange(60)[::-1])
        assert np.array_equal(tiny(CrabNetClassifier).fit(X, series).predict(X), expected)


def test_in_scikit_learn(three_classes):
    X, y = three_classes
    scores = cross_val_score(tiny(CrabNetClassifier), X, y, cv=3, scoring="roc_auc_ovr")
    assert np.isfinite(scores).all()
    calibrated = CalibratedClassifierCV(tiny(CrabNetClassifier), cv=3).fit(X, y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)


# Their classes are ranges of an enthalpy that the pretrained weights have learnt.
@pytest.mark.filterwarnings("ignore::crabsk.pretrained.KnownTargetWarning")
def test_presets_fit(three_classes):
    X, y = three_classes
    for cls in CLASSIFIERS:
        for name in cls.presets:
            model = cls.from_preset(name, max_epochs=1, n_estimators=1)
            assert model.fit(X, y).predict(X).shape == (60,)


@pytest.mark.parametrize(
    "make",
    [
        list,
        lambda y: np.array(y, dtype=object),
        lambda y: pd.Series(y, dtype="string"),
        lambda y: pd.Series(y, dtype=object),
    ],
)
@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_missing_class_is_named(some_formulas, make, missing):
    X, y = some_formulas
    classes = ["high" if value > -0.5 else "low" for value in y]
    classes[7] = missing
    with pytest.raises(ValueError, match=r"y contains NaN in row 7 \(of 1"):
        tiny(CLASSIFIERS[0]).fit(X, make(classes))
