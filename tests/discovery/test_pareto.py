"""Several targets at once: fronts, hypervolumes and their expected growth."""

import math
from itertools import combinations
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crabsk.discovery import _pareto as module
from crabsk.discovery import (
    expected_hypervolume_improvement,
    expected_improvement,
    hypervolume,
    pareto_front,
)

INF, NAN = math.inf, math.nan


def tables(n_targets, *, min_rows=0, max_rows=30, high=5):
    """Small whole numbers: many ties and equal rows."""
    return st.tuples(st.integers(min_rows, max_rows), n_targets).flatmap(
        lambda shape: arrays(float, shape, elements=st.integers(0, high))
    )


def beats(values):
    """Return the matrix of which row beats which."""
    left, right = values[:, None], values[None]
    return (left >= right).all(axis=2) & (left > right).any(axis=2)


def sphere(n_rows, n_targets, seed=0):
    """Return rows of which none beats another."""
    rows = np.abs(np.random.default_rng(seed).normal(size=(n_rows, n_targets)))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class TestParetoFront:
    def test_by_hand(self):
        values = [[1.0, 3.0], [2.0, 2.0], [2.0, 2.0], [2.0, 1.0], [3.0, 0.0], [0.0, 3.0]]
        assert pareto_front(values).tolist() == [True, True, True, False, True, False]
        assert pareto_front(values, maximize=False).tolist() == [False] * 3 + [True] * 3
        expected = [False, False, False, False, True, False]
        assert pareto_front(values, maximize=[True, False]).tolist() == expected

    @given(tables(st.integers(1, 5)))
    def test_is_what_no_row_beats(self, values):
        expected = ~beats(values).any(axis=0)
        np.testing.assert_array_equal(pareto_front(values), expected)
        # Divided down to single rows, however few there are.
        with mock.patch.object(module, "_FEW_ROWS", 1):
            np.testing.assert_array_equal(pareto_front(values), expected)

    @pytest.mark.parametrize("n_targets", [1, 2, 3, 4, 5])
    @pytest.mark.parametrize("kind", ["normal", "ties", "sphere"])
    def test_of_many_rows(self, n_targets, kind):
        values = np.random.default_rng(n_targets).normal(size=(1200, n_targets))
        if kind == "ties":
            values = values.round()
        elif kind == "sphere":
            values = sphere(1200, n_targets)
        np.testing.assert_array_equal(pareto_front(values), ~beats(values).any(axis=0))

    def test_many_rows_that_are_all_on_the_front(self):
        """Compared all with all, it would take minutes."""
        assert pareto_front(sphere(60_000, 3)).all()

    @given(tables(st.just(3)), st.permutations(range(3)), st.lists(st.booleans(), min_size=3))
    def test_order_and_sense_of_the_targets(self, values, order, flags):
        maximize = np.array(flags[:3])
        front = pareto_front(values, maximize=maximize)
        mirrored = values * np.where(maximize, 1, -1)
        np.testing.assert_array_equal(pareto_front(mirrored), front)
        moved = pareto_front(values[:, order], maximize=maximize[list(order)])
        np.testing.assert_array_equal(moved, front)
        np.testing.assert_array_equal(pareto_front(values[::-1], maximize=maximize), front[::-1])

    @given(tables(st.integers(1, 4), min_rows=1))
    def test_of_the_front_is_the_front(self, values):
        front = values[pareto_front(values)]
        assert len(front)
        assert pareto_front(front).all()

    @pytest.mark.parametrize("n_targets", [1, 2, 3])
    def test_few_rows(self, n_targets):
        assert pareto_front(np.empty((0, n_targets))).tolist() == []
        assert pareto_front(np.zeros((1, n_targets))).tolist() == [True]
        assert pareto_front(np.zeros((300, n_targets))).all()

    def test_infinities_and_both_zeros(self):
        values = [[INF, 0.0, 1.0], [INF, -0.0, 1.0], [1.0, 0.0, 1.0], [-INF, 1.0, 0.0]]
        assert pareto_front(values).tolist() == [True, True, False, True]

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ([[1.0, 2.0], [1.0, NAN]], r"values must not be NaN: row 1 is \[1\.0, nan\]"),
            ([1.0, 2.0], r"values must be of shape \(n_samples, n_targets\), got \(2,\)"),
            (np.empty((2, 0)), "values must have one target or more"),
        ],
    )
    def test_bad_values(self, values, message):
        with pytest.raises(ValueError, match=message):
            pareto_front(values)

    @pytest.mark.parametrize("maximize", ["min", [1, -1], [True], [True, False, True], 1])
    def test_bad_sense(self, maximize):
        message = "maximize must be True or False, or a list of 2 of them"
        with pytest.raises(ValueError, match=message):
            pareto_front([[1.0, 2.0]], maximize=maximize)
        with pytest.raises(ValueError, match=message):
            hypervolume([[1.0, 2.0]], [0.0, 0.0], maximize=maximize)


def by_inclusion_and_exclusion(rows):
    """Return the volume of a union of boxes from 0 on."""
    return sum(
        (-1) ** (size + 1) * np.min(some, axis=0).prod()
        for size in range(1, len(rows) + 1)
        for some in combinations(rows, size)
    )


class TestHypervolume:
    def test_by_hand(self):
        volume = hypervolume([[3.0, 1.0], [2.0, 2.0], [1.0, 1.0]], [0.0, 0.0])
        assert volume == 5
        assert isinstance(volume, float)
        assert hypervolume([[1.0, 2.0, 3.0]], [0.0, 0.0, 1.0]) == 4
        assert hypervolume([[2.0], [5.0]], [1.0]) == 4

    @given(tables(st.integers(1, 5), max_rows=7))
    def test_is_inclusion_and_exclusion(self, values):
        expected = by_inclusion_and_exclusion(values)
        assert hypervolume(values, np.zeros(values.shape[1])) == pytest.approx(expected)

    @pytest.mark.parametrize("n_targets", [2, 3, 4, 5])
    def test_is_a_share_of_random_points(self, n_targets):
        rng = np.random.default_rng(n_targets)
        values = rng.random((25, n_targets)) ** (1 / n_targets)
        points = rng.random((40_000, n_targets))
        share = np.zeros(len(points), dtype=bool)
        for row in values:
            share |= (points <= row).all(axis=1)
        volume = hypervolume(values, np.zeros(n_targets))
        five_errors = 5 * share.std() / math.sqrt(len(points))
        assert volume == pytest.approx(share.mean(), abs=five_errors)

    @given(tables(st.just(3), max_rows=10), st.permutations(range(3)))
    def test_order_of_rows_and_targets(self, values, order):
        reference = np.array([1.0, 2.0, 0.0])
        volume = hypervolume(values, reference)
        assert hypervolume(values[::-1], reference) == pytest.approx(volume)
        order = list(order)
        assert hypervolume(values[:, order], reference[order]) == pytest.approx(volume)

    @given(tables(st.just(3), max_rows=10), st.lists(st.booleans(), min_size=3, max_size=3))
    def test_senses_mirror_each_other(self, values, maximize):
        reference = np.array([1.0, 2.0, 1.0])
        signs = np.where(maximize, 1, -1)
        mirrored = hypervolume(values * signs, reference * signs)
        assert hypervolume(values, reference, maximize=maximize) == mirrored

    @given(tables(st.just(4), max_rows=10), st.floats(0.01, 100), st.floats(-10, 10))
    def test_unit_and_origin(self, values, unit, shift):
        reference = np.ones(4)
        moved = hypervolume(values * unit + shift, reference * unit + shift)
        expected = hypervolume(values, reference) * unit**4
        assert moved == pytest.approx(expected, rel=1e-9, abs=1e-9 * unit**4)

    @given(tables(st.integers(2, 4), min_rows=1, max_rows=10))
    def test_what_does_not_beat_the_reference_adds_nothing(self, values):
        reference = np.full(values.shape[1], 2.0)
        beating = (values > 2).all(axis=1)
        volume = hypervolume(values, reference)
        assert volume == pytest.approx(hypervolume(values[beating], reference))
        assert (volume > 0) == beating.any()

    def test_no_rows(self):
        assert hypervolume([], [0.0, 0.0]) == 0
        assert hypervolume(np.empty((0, 2)), [0.0, 0.0]) == 0

    @pytest.mark.parametrize(
        ("values", "reference", "message"),
        [
            ([[1.0, NAN]], [0.0, 0.0], r"values must be finite: row 0 is \[1\.0, nan\]"),
            ([[1.0, 1.0]], [0.0, INF], r"reference must be finite, .*, got \[0\.0, inf\]"),
            ([[1.0, 1.0]], [], "reference must be finite, one value or more"),
            ([[1.0, 1.0]], 0.0, r"reference must be of shape \(n_targets,\), got \(\)"),
            ([[1.0, 1.0]], [0.0], r"values has 2 target\(s\), but reference has 1"),
            ([1.0, 1.0], [0.0, 0.0], r"values must be of shape \(n_rows, n_targets\)"),
        ],
    )
    def test_bad_values(self, values, reference, message):
        with pytest.raises(ValueError, match=message):
            hypervolume(values, reference)


def growth(front, reference, points, maximize=True):
    """Return by how much each point alone adds to the hypervolume."""
    before = hypervolume(front, reference, maximize=maximize)
    return np.array(
        [hypervolume([*front, p], reference, maximize=maximize) - before for p in points]
    )


def growth_above_zero(front, x, y):
    """Return the growth for two targets of all points at once, from strips of a staircase."""
    front = sorted(map(tuple, front), reverse=True)
    area = np.maximum(x, 0) * np.maximum(y, 0)
    height = 0.0
    for k, (right, top) in enumerate(front):
        height = max(height, top)
        left = front[k + 1][0] if k + 1 < len(front) else 0.0
        width = np.clip(x, left, right) - left
        area = area - width * np.clip(y, 0, height)
    return area


def nodes(mean, std, kinks):
    """Return points and weights that integrate what is smooth between the kinks."""
    at, weight = np.polynomial.legendre.leggauss(20)
    inner = [k for k in kinks if abs(k - mean) < 9 * std]
    inner += [mean + step * std for step in range(-9, 10)]
    ends = np.unique(inner)
    centre, half = (ends[1:] + ends[:-1]) / 2, np.diff(ends) / 2
    points = (centre[:, None] + half[:, None] * at).ravel()
    density = np.exp(-0.5 * ((points - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))
    return points, (half[:, None] * weight).ravel() * density


def candidates(n_samples, n_targets, seed=0):
    """Return means and standard deviations, some of them 0."""
    rng = np.random.default_rng(seed)
    std = rng.uniform(0.05, 0.8, size=(n_samples, n_targets))
    std[rng.random(std.shape) < 0.2] = 0
    return rng.uniform(-0.3, 1.5, size=(n_samples, n_targets)), std


fronts = st.integers(0, 6).flatmap(lambda n: arrays(float, (n, 2), elements=st.floats(0.01, 3)))


class TestExpectedHypervolumeImprovement:
    def test_by_hand(self):
        """An empty front leaves a product of expected improvements."""
        mean, std = candidates(20, 3)
        value = expected_hypervolume_improvement(mean, std, [], [0.1, 0.2, 0.3])
        improvements = [
            expected_improvement(mean[:, j], std[:, j], best)
            for j, best in enumerate([0.1, 0.2, 0.3])
        ]
        np.testing.assert_allclose(value, np.prod(improvements, axis=0))

    @settings(max_examples=50, deadline=None)
    @given(
        fronts,
        st.floats(-2, 4),
        st.floats(-2, 4),
        st.floats(0.05, 2),
        st.floats(0.05, 2),
    )
    def test_is_the_integral(self, front, mean_x, mean_y, std_x, std_y):
        """To 1e-6 of itself, or of the product of the standard deviations if that is more."""
        x, weight_x = nodes(mean_x, std_x, [0, *front[:, 0]])
        y, weight_y = nodes(mean_y, std_y, [0, *front[:, 1]])
        expected = weight_x @ growth_above_zero(front, x[:, None], y) @ weight_y
        value = expected_hypervolume_improvement(
            [[mean_x, mean_y]], [[std_x, std_y]], front, [0.0, 0.0]
        )
        assert value[0] == pytest.approx(expected, rel=1e-6, abs=1e-6 * std_x * std_y)

    @pytest.mark.parametrize("n_targets", [2, 3, 4])
    def test_is_the_mean_over_random_values(self, n_targets):
        rng = np.random.default_rng(n_targets)
        front, reference = sphere(8, n_targets), np.zeros(n_targets)
        mean, std = candidates(4, n_targets)
        value = expected_hypervolume_improvement(mean, std, front, reference)
        for k in range(len(mean)):
            draws = rng.normal(mean[k], std[k], size=(200, n_targets))
            found = growth(front, reference, draws)
            five_errors = 5 * found.std() / math.sqrt(len(draws))
            assert value[k] == pytest.approx(found.mean(), abs=five_errors + 1e-12)

    @pytest.mark.parametrize("n_targets", [2, 3, 4, 5])
    def test_is_the_mean_over_many_random_values(self, n_targets):
        """By its own values for a standard deviation of 0, which the next test checks."""
        rng = np.random.default_rng(n_targets)
        front, reference = sphere(12, n_targets), np.full(n_targets, 0.1)
        mean, std = candidates(4, n_targets, seed=1)
        value = expected_hypervolume_improvement(mean, std, front, reference)
        for k in range(len(mean)):
            draws = rng.normal(mean[k], std[k], size=(20_000, n_targets))
            known = np.zeros_like(draws)
            found = expected_hypervolume_improvement(draws, known, front, reference)
            five_errors = 5 * found.std() / math.sqrt(len(draws))
            assert value[k] == pytest.approx(found.mean(), abs=five_errors + 1e-12)

    @given(tables(st.integers(2, 4), max_rows=8), st.integers(0, 2**32 - 1))
    def test_zero_std_is_the_growth(self, front, seed):
        n_targets = front.shape[1]
        rng = np.random.default_rng(seed)
        points = rng.integers(0, 7, size=(5, n_targets)) / rng.choice([1.0, 1.5])
        reference = np.ones(n_targets)
        maximize = rng.random(n_targets) < 0.5
        signs = np.where(maximize, 1, -1)
        value = expected_hypervolume_improvement(
            points * signs,
            np.zeros_like(points),
            front * signs,
            reference * signs,
            maximize=maximize,
        )
        np.testing.assert_allclose(value, growth(front, reference, points), atol=1e-9)

    @given(tables(st.integers(2, 3), max_rows=8), st.integers(0, 2**32 - 1))
    def test_is_never_negative_and_rises_with_the_mean(self, front, seed):
        rng = np.random.default_rng(seed)
        n_targets = front.shape[1]
        mean = rng.uniform(-5, 8, size=(10, n_targets))
        std = rng.exponential(size=mean.shape) * (rng.random(mean.shape) < 0.8)
        better = mean + rng.exponential(size=mean.shape)
        reference = np.zeros(n_targets)
        value = expected_hypervolume_improvement(mean, std, front, reference)
        assert (value >= 0).all()
        higher = expected_hypervolume_improvement(better, std, front, reference)
        assert (higher >= value * (1 - 1e-9)).all()

    @settings(max_examples=50, deadline=None)
    @given(tables(st.just(3), max_rows=8), st.permutations(range(3)), st.integers(0, 99))
    def test_order_of_the_targets(self, front, order, seed):
        order = list(order)
        mean, std = candidates(5, 3, seed)
        mean, reference = mean * 4, np.array([0.0, 1.0, 0.5])
        value = expected_hypervolume_improvement(mean, std, front, reference)
        moved = expected_hypervolume_improvement(
            mean[:, order], std[:, order], front[:, order], reference[order]
        )
        np.testing.assert_allclose(moved, value, rtol=1e-9, atol=1e-12)

    @settings(max_examples=50, deadline=None)
    @given(st.floats(0.01, 100), st.floats(-10, 10), st.booleans())
    def test_unit_origin_and_sense(self, unit, shift, maximize):
        mean, std = candidates(10, 2)
        front, reference = sphere(6, 2), np.array([0.1, 0.0])
        value = expected_hypervolume_improvement(mean, std, front, reference)
        factor = unit if maximize else -unit
        moved = expected_hypervolume_improvement(
            mean * factor + shift,
            std * unit,
            front * factor + shift,
            reference * factor + shift,
            maximize=maximize,
        )
        np.testing.assert_allclose(moved / unit**2, value, rtol=1e-6, atol=1e-9)

    def test_what_changes_nothing_on_the_front(self):
        mean, std = candidates(10, 3)
        front, reference = sphere(6, 3), np.zeros(3)
        value = expected_hypervolume_improvement(mean, std, front, reference)
        idle = [front[0] * 0.9, front[1], [9.0, 9.0, 0.0], [-1.0, 9.0, 9.0]]
        more = expected_hypervolume_improvement(mean, std, np.vstack([front, idle]), reference)
        np.testing.assert_array_equal(more, value)

    @pytest.mark.parametrize(("n_targets", "n_boxes"), [(2, 41), (3, 81)])
    def test_number_of_boxes(self, n_targets, n_boxes):
        """As many as in Yang et al.: n + 1 and 2n + 1."""
        ranks = sphere(40, n_targets).argsort(axis=0).argsort(axis=0) + 1
        assert len(module._boxes(ranks, [41] * n_targets)) == n_boxes

    def test_chunks_agree_with_the_whole(self):
        mean, std = candidates(50, 3)
        front, reference = sphere(10, 3), np.zeros(3)
        whole = expected_hypervolume_improvement(mean, std, front, reference)
        with mock.patch.object(module, "_CHUNK", 70):
            chunked = expected_hypervolume_improvement(mean, std, front, reference)
        np.testing.assert_array_equal(chunked, whole)
        equal = expected_hypervolume_improvement(
            np.repeat(mean[:1], 9, axis=0), np.repeat(std[:1], 9, axis=0), front, reference
        )
        assert (equal == whole[0]).all()

    def test_no_candidates(self):
        nothing = np.empty((0, 2))
        value = expected_hypervolume_improvement(nothing, nothing, [[1.0, 1.0]], [0.0, 0.0])
        assert value.shape == (0,)

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"mean": [[1.0, 1.0], [NAN, 1.0]]}, r"mean must be finite: row 1 is \[nan, 1\.0\]"),
            ({"std": [[1.0, -1.0], [1.0, 1.0]]}, r"not negative: row 0 is \[1\.0, -1\.0\]"),
            ({"std": [[1.0, 1.0]]}, r"mean has the shape \(2, 2\), but std has \(1, 2\)"),
            ({"mean": [1.0, 1.0]}, r"mean must be of shape \(n_samples, n_targets\), got \(2,\)"),
            ({"front": [[1.0, INF]]}, r"front must be finite: row 0 is \[1\.0, inf\]"),
            ({"front": [[1.0] * 3]}, r"front has 3 target\(s\), but reference has 2"),
            ({"reference": [0.0] * 3}, r"mean has 2 target\(s\), but reference has 3"),
            ({"reference": [0.0]}, "reference has one target: use expected_improvement"),
            ({"maximize": [True, False, True]}, "maximize must be True or False"),
        ],
    )
    def test_bad_values(self, changed, message):
        settings = {"mean": np.ones((2, 2)), "std": np.ones((2, 2))}
        settings |= {"front": [], "reference": [0.0, 0.0]}
        with pytest.raises(ValueError, match=message):
            expected_hypervolume_improvement(**settings | changed)
