"""What the labels of equal samples say, and how long is trained on it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import ARCHITECTURE, tiny, tiny_crabnet

from crabsk import AutoRegressor, CrabNetClassifier, CrabNetRegressor
from crabsk.neural_network import pure_error

pytestmark = pytest.mark.filterwarnings("ignore::crabsk.neural_network.ConflictingTargetsWarning")


def share(same, *targets):
    """Return the pure error of targets, NaN where there is no label."""
    values = np.column_stack(targets).astype(float)
    present = ~np.isnan(values)
    return pure_error(np.asarray(same), np.where(present, values, 0.0), present)


class TestPureError:
    def test_labels_that_agree_have_none(self):
        assert share([0, 0, 1, 1, 2], [3, 3, 5, 5, 7]) == 0

    def test_samples_without_an_equal_have_none(self):
        assert share([0, 1, 2], [3, 5, 8]) == 0

    def test_constant_targets_have_none(self):
        assert share([0, 0, 1], [4, 4, 4]) == 0

    def test_no_labels_have_none(self):
        assert share([0, 0], [np.nan, np.nan]) == 0

    def test_labels_that_a_composition_says_nothing_of_are_all_error(self):
        assert share([0, 0, 1, 1], [1, -1, -1, 1]) == 1

    def test_a_missing_label_conflicts_with_none(self):
        assert share([0, 0, 1, 1], [1, np.nan, 2, 2]) == 0

    def test_targets_count_together(self):
        agreeing, not_agreeing = [-1, -1, 1, 1], [-1, 1, 1, -1]
        assert share([0, 0, 1, 1], agreeing, not_agreeing) == pytest.approx(1.0)
        assert share([0, 0, 1, 1], agreeing) == 0
        # Half of the variance of both, twice for a mean that is learnt of two labels.
        few = share([0, 0, 1, 1], agreeing, [-1, -0.5, 1, 0.5])
        assert few == pytest.approx(2 * 0.25 / (4 + 2.5))

    def test_is_the_share_of_the_noise(self):
        rng = np.random.default_rng(0)
        same = np.repeat(np.arange(20_000), 2)
        labels = rng.normal(0, 3, 20_000)[same] + rng.normal(0, 4, 40_000)
        assert share(same, labels) == pytest.approx(16 / 25, abs=0.02)

    @given(
        st.lists(st.tuples(st.integers(0, 5), st.integers(-9, 9)), min_size=1, max_size=20),
        st.permutations(range(6)),
    )
    def test_equals_the_definition_however_samples_are_numbered(self, samples, numbers):
        same, labels = (np.array(column) for column in zip(*samples, strict=True))
        total = ((labels - labels.mean()) ** 2).sum()
        groups = [labels[same == number] for number in np.unique(same)]
        within = sum(len(own) * np.var(own, ddof=1) for own in groups if len(own) > 1)
        expected = min(1.0, within / total) if total else 0.0
        assert share(same, labels) == pytest.approx(expected)
        assert share(np.array(numbers)[same], labels) == pytest.approx(expected)


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

    @pytest.mark.parametrize("cls", ARCHITECTURE, ids=lambda cls: cls.__name__)
    def test_holds_for_all_networks(self, some_formulas, cls):
        X, _ = some_formulas
        targets = np.random.default_rng(0).permutation(np.repeat([0, 1], len(X)))
        model = tiny(cls, max_epochs="auto").fit(np.concatenate([X, X]), targets)
        assert model.n_iter_ < 10

    def test_holds_from_other_weights(self, some_formulas):
        start = CrabNetRegressor.from_preset("pretrained", n_estimators=1, random_state=0)
        assert start.fit(*self.twice(some_formulas, 10.0)).n_iter_ == 3

    def test_holds_for_several_labels(self, some_formulas):
        X, _ = some_formulas
        labels = np.random.default_rng(0).integers(0, 2, size=(2 * len(X), 3))
        model = tiny(CrabNetClassifier, max_epochs="auto").fit(np.concatenate([X, X]), labels)
        assert model.n_iter_ < 10

    def test_is_no_want_of_time(self, some_formulas):
        X, y = self.twice(some_formulas, 1.0)
        network = tiny_crabnet(max_epochs="auto")
        auto = AutoRegressor({"crabnet": network}, time_limit=60.0, cv=2, random_state=0)
        assert auto.fit(X, y).leaderboard_.loc["crabnet", "note"] == ""
