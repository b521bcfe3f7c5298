"""What the labels of equal samples say, and how long is trained on it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import ARCHITECTURE, tiny, tiny_crabnet

from crabsk import CrabNetClassifier, CrabNetRegressor
from crabsk.neural_network import pure_error

pytestmark = pytest.mark.filterwarnings("ignore::crabsk.neural_network.ConflictingTargetsWarning")


def share(same, *targets):
    """Return the pure error of targets, NaN where there is no label."""
    values = np.column_stack(targets).astype(float)
    return pure_error(np.asarray(same), values, ~np.isnan(values))


def noisy_pairs(n, std):
    """Return numbers and labels of pairs of equal samples, whose own values have a spread of 1."""
    rng = np.random.default_rng(0)
    same = np.repeat(np.arange(n), 2)
    return same, rng.normal(size=n)[same] + rng.normal(0, std, 2 * n)


class TestPureError:
    @pytest.mark.parametrize(
        ("same", "labels"),
        [
            ([0, 0, 1, 1, 2], [3, 3, 5, 5, 7]),
            ([0, 1, 2], [3, 5, 8]),
            ([0, 0, 0, 1], [0.1, 0.1, 0.1, 0.1]),
            ([0, 0], [np.nan, np.nan]),
            ([0, 0, 1, 1], [1, np.nan, 2, 2]),
        ],
        ids=["labels agree", "no equals", "constant", "no labels", "missing label"],
    )
    def test_there_is_none(self, same, labels):
        assert share(same, labels) == 0

    def test_labels_that_a_composition_says_nothing_of_are_all_error(self):
        same, _ = noisy_pairs(5000, 1.0)
        assert share(same, np.random.default_rng(0).normal(size=len(same))) > 0.95

    def test_is_the_share_of_the_noise(self):
        for std, expected in ((0.5, 0.2), (1.0, 0.5), (2.0, 0.8)):
            assert share(*noisy_pairs(20_000, std)) == pytest.approx(expected, abs=0.03)

    def test_few_groups_show_little(self):
        few, many = (share(*noisy_pairs(n, 1.0)) for n in (10, 10_000))
        assert 0 < few < many

    def test_one_pair_shows_nothing(self):
        y = np.arange(20.0)
        assert share([*range(20), 0], [*y, 19.0]) < 0.15

    def test_a_wrong_unit_shows_nothing(self):
        y = np.random.default_rng(0).normal(size=700)
        assert share([*range(700), 0], [*y, 1e6]) < 0.01

    def test_the_target_that_agrees_best_counts(self):
        same, labels = noisy_pairs(1000, 2.0)
        assert share(same, labels, same) == 0
        gap = np.where(np.arange(len(same)) < 1990, labels, np.nan)
        assert share(same, labels, gap) == pytest.approx(share(same, labels), abs=0.01)

    def test_columns_of_classes_are_one_target(self):
        same, labels = noisy_pairs(1000, 1.0)
        classes = np.digitize(labels, [-1, 1])
        rare = share(same, classes == 2), share(same, classes == 0)
        of_all = pure_error(same, np.eye(3)[classes], np.ones((len(same), 1), dtype=bool))
        assert min(rare) < of_all < 1

    @given(st.data())
    def test_a_monotone_transform_or_other_numbers_change_nothing(self, data):
        n = data.draw(st.integers(2, 30))
        same = np.array(data.draw(st.lists(st.integers(0, 8), min_size=n, max_size=n)))
        labels = np.array(data.draw(st.lists(st.integers(-9, 9), min_size=n, max_size=n)))
        expected = share(same, labels)
        assert 0 <= expected <= 1
        assert share(same, np.exp(labels)) == pytest.approx(expected)
        renumbered = np.array(data.draw(st.permutations(range(9))))[same]
        assert share(renumbered, -labels) == pytest.approx(expected)


class TestTrainingLength:
    def twice(self, some_formulas, noise):
        """Every formula comes twice, with labels that differ by some standard deviations."""
        X, y = some_formulas
        apart = noise * y.std() * np.random.default_rng(0).normal(size=2 * len(y))
        return np.concatenate([X, X]), np.concatenate([y, y]) + apart

    def test_is_short_where_equal_samples_differ(self, some_formulas):
        lengths = [
            tiny_crabnet(max_epochs="auto").fit(*self.twice(some_formulas, noise)).n_iter_
            for noise in (0.0, 0.1, 0.8, 10.0)
        ]
        assert lengths[:2] == [60, 60]
        assert 3 < lengths[2] < 30
        assert lengths[3] == 3

    def test_is_usual_where_a_column_tells_samples_apart(self, some_formulas):
        X, y = self.twice(some_formulas, 1.0)
        with_column = np.column_stack([X, np.arange(len(X), dtype=float)])
        assert tiny_crabnet(max_epochs="auto").fit(with_column, y).n_iter_ == 60

    def test_is_as_it_was_asked_for(self, some_formulas):
        assert tiny_crabnet(max_epochs=7).fit(*self.twice(some_formulas, 1.0)).n_iter_ == 7

    def test_does_not_see_what_is_not_trained_on(self, some_formulas):
        X, y = self.twice(some_formulas, 1.0)
        first = np.arange(len(X)) < len(X) // 2
        model = tiny_crabnet(max_epochs="auto").fit(X, y, sample_weight=first.astype(float))
        assert model.n_iter_ == 60
        model.fit(X[first], y[first], X_val=X[~first], y_val=y[~first])
        assert model.n_iter_ == 60

    def test_does_not_depend_on_the_transform_of_targets(self, some_formulas):
        X, y = self.twice(some_formulas, 0.8)
        plain = tiny_crabnet(max_epochs="auto").fit(X, np.exp(3 * y))
        log = tiny_crabnet(max_epochs="auto", target_transform="log").fit(X, np.exp(3 * y))
        assert plain.n_iter_ == log.n_iter_ < 60

    @pytest.mark.parametrize("n_values", [2, 3])
    @pytest.mark.parametrize("cls", ARCHITECTURE, ids=lambda cls: cls.__name__)
    def test_holds_for_all_networks(self, some_formulas, cls, n_values):
        X, _ = some_formulas
        targets = np.random.default_rng(0).permutation(2 * len(X)) % n_values
        model = tiny(cls, max_epochs="auto").fit(np.concatenate([X, X]), targets)
        assert model.n_iter_ < 10

    def test_holds_from_other_weights(self, some_formulas):
        start = CrabNetRegressor.from_preset("pretrained", n_estimators=1, random_state=0)
        X, y = self.twice(some_formulas, 10.0)
        assert start.fit(X, y).n_iter_ == 3
        # What is frozen at first is trained, too.
        assert start.set_params(freeze=4).fit(X, y).n_iter_ == 7

    def test_holds_for_several_labels(self, some_formulas):
        X, _ = some_formulas
        labels = np.random.default_rng(0).integers(0, 2, size=(2 * len(X), 3))
        model = tiny(CrabNetClassifier, max_epochs="auto").fit(np.concatenate([X, X]), labels)
        assert model.n_iter_ < 10
