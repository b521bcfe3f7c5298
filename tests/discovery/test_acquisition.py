"""Acquisition functions of one target."""

import math
from functools import partial
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from crabsk.discovery import (
    expected_improvement,
    probability_in_window,
    probability_of_improvement,
    thompson_draws,
    upper_confidence_bound,
)

INF, NAN = math.inf, math.nan
TO_BEST = [expected_improvement, probability_of_improvement]
ALL = [
    *(partial(function, best=1.0) for function in TO_BEST),
    upper_confidence_bound,
    partial(probability_in_window, low=0.5, high=2.0),
]
NAMES = ["improvement", "probability", "bound", "window"]

means = st.floats(-100, 100)
stds = st.floats(1e-3, 100)
distances = st.floats(-10, 10)  # in standard deviations
some_means = st.lists(means, min_size=1, max_size=20)
kinds = st.sampled_from(["max", "min"])


def mean_of(function, mean, std, *kinks):
    """Integrate a function of a normal variable numerically, from kink to kink."""

    def integrand(y):
        return function(y) * math.exp(-0.5 * ((y - mean) / std) ** 2)

    low, high = mean - 14 * std, mean + 14 * std
    ends = [low, *sorted(k for k in (*kinks, mean) if low < k < high), high]
    # quad takes a piece that is no wider than the rounding of its ends for a singularity.
    pieces = [(a, b) for a, b in pairwise(ends) if b - a > 1e-9 * std]
    parts = [quad(integrand, a, b, epsabs=0, epsrel=1e-9)[0] for a, b in pieces]
    return sum(parts) / (std * math.sqrt(2 * math.pi))


class TestExpectedImprovement:
    def test_by_hand(self):
        values = expected_improvement([1.0, 3.0, 0.0], [2.0, 0.0, 0.0], best=1.0)
        np.testing.assert_allclose(values, [2 / math.sqrt(2 * math.pi), 2, 0])

    @given(means, stds, distances, st.booleans())
    def test_is_the_integral(self, mean, std, distance, maximize):
        """To 1e-6 of itself, also 10 standard deviations away."""
        best = mean + distance * std
        sign = 1 if maximize else -1
        expected = mean_of(lambda y: max(sign * (y - best), 0), mean, std, best)
        value = expected_improvement([mean], [std], best, maximize=maximize)
        assert value[0] == pytest.approx(expected, rel=1e-6, abs=0)

    def test_far_tail(self):
        """To 1e-12 of itself, down to 35 standard deviations below the best."""
        z = np.linspace(-35, 5, 801)
        values = expected_improvement(z, np.ones_like(z), best=0.0)
        with mpmath.workdps(50):
            exact = [float(v * mpmath.ncdf(v) + mpmath.npdf(v)) for v in map(mpmath.mpf, z)]
        np.testing.assert_allclose(values, exact, rtol=1e-12)
        assert values[0] > 0
        assert (np.diff(values) > 0).all()

    def test_beyond_the_far_tail(self):
        values = expected_improvement([-1e3, -1e300, 1e300], [1.0, 1e-300, 1e-300], best=0.0)
        np.testing.assert_array_equal(values, [0, 0, 1e300])

    @given(means, stds, distances, st.floats(0, 10))
    def test_rises_with_std(self, mean, std, distance, more):
        best = mean + distance * std
        low, high = expected_improvement([mean, mean], [std, std + more], best)
        assert low <= high * (1 + 1e-12)


class TestProbabilityOfImprovement:
    @given(means, stds, distances, st.booleans())
    def test_is_the_integral(self, mean, std, distance, maximize):
        """To 1e-6 of itself, also 10 standard deviations away."""
        best = mean + distance * std
        expected = mean_of(lambda y: (y > best) == maximize, mean, std, best)
        value = probability_of_improvement([mean], [std], best, maximize=maximize)
        assert value[0] == pytest.approx(expected, rel=1e-6, abs=0)

    def test_what_is_known_to_equal_the_best_is_no_improvement(self):
        for maximize in (True, False):
            values = probability_of_improvement([1.0, 1.0], [0.0, 1e-9], 1.0, maximize=maximize)
            np.testing.assert_array_equal(values, [0, 0.5])

    @given(means, stds, distances)
    def test_both_senses_add_up(self, mean, std, distance):
        best = mean + distance * std
        up, down = (
            probability_of_improvement([mean], [std], best, maximize=m) for m in (True, False)
        )
        np.testing.assert_allclose(up + down, 1)


@pytest.mark.parametrize("function", TO_BEST)
class TestAgainstTheBest:
    @given(some_means, stds, means, kinds)
    def test_rises_with_the_mean(self, function, mean, std, best, kind):
        better_first = np.sort(mean)[:: -1 if kind == "max" else 1]
        values = function(better_first, np.full(len(mean), std), best, maximize=kind == "max")
        assert (np.diff(values) <= 1e-12 * values[:-1]).all()

    @given(some_means, stds, means)
    def test_senses_mirror_each_other(self, function, mean, std, best):
        mean, std = np.array(mean), np.full(len(mean), std)
        up, down = function(mean, std, best), function(-mean, std, -best, maximize=False)
        np.testing.assert_array_equal(up, down)

    @given(distances, stds, st.floats(0.01, 100), means)
    def test_unit_and_origin(self, function, distance, std, unit, shift):
        value = function([distance * std], [std], 0.0)
        moved = function([distance * std * unit + shift], [std * unit], shift)
        factor = unit if function is expected_improvement else 1
        # The shift rounds the distance, which the tails feel.
        rounding = 1e-12 * (1 + abs(shift) / (std * unit))
        np.testing.assert_allclose(moved, value * factor, rtol=100 * rounding)

    @given(means, means, st.booleans())
    def test_zero_std_is_the_limit(self, function, mean, best, maximize):
        exact, near = (function([mean], [std], best, maximize=maximize) for std in (0.0, 1e-12))
        if abs(mean - best) > 1e-9:
            np.testing.assert_allclose(exact, near, rtol=1e-12)
        gain = mean - best if maximize else best - mean
        assert exact[0] == (max(gain, 0) if function is expected_improvement else gain > 0)

    @pytest.mark.parametrize("best", [NAN, INF])
    def test_best_is_finite(self, function, best):
        with pytest.raises(ValueError, match="best must be finite, got"):
            function([1.0], [1.0], best)

    def test_sense_is_a_bool(self, function):
        with pytest.raises(TypeError, match="maximize must be an instance of"):
            function([1.0], [1.0], 0.0, maximize="min")


class TestUpperConfidenceBound:
    def test_by_hand(self):
        mean, std = [1.0, 2.0, 3.0], [1.0, 0.5, 0.0]
        np.testing.assert_array_equal(upper_confidence_bound(mean, std), [3, 3, 3])
        np.testing.assert_array_equal(upper_confidence_bound(mean, std, kappa=4), [5, 4, 3])
        np.testing.assert_array_equal(upper_confidence_bound(mean, std, kappa=0), mean)

    @given(some_means, stds, st.floats(0, 10))
    def test_senses_mirror_each_other(self, mean, std, kappa):
        mean, std = np.array(mean), np.full(len(mean), std)
        up = upper_confidence_bound(-mean, std, kappa=kappa)
        down = upper_confidence_bound(mean, std, kappa=kappa, maximize=False)
        np.testing.assert_array_equal(up, down)
        np.testing.assert_array_equal(down, -(mean - kappa * std))

    @given(means, st.floats(0, 100), st.floats(0, 100), st.floats(0, 10), kinds)
    def test_rises_with_mean_and_std(self, mean, std, more, kappa, kind):
        sign = 1 if kind == "max" else -1
        values = upper_confidence_bound(
            [mean, mean, mean + sign * more],
            [std, std + more, std],
            kappa=kappa,
            maximize=kind == "max",
        )
        assert values[0] <= values[1:].min()

    @given(means, stds, st.floats(0.01, 100), means)
    def test_unit_and_origin(self, mean, std, unit, shift):
        moved = upper_confidence_bound([mean * unit + shift], [std * unit])
        expected = upper_confidence_bound([mean], [std]) * unit + shift
        np.testing.assert_allclose(moved, expected, atol=1e-10)

    @pytest.mark.parametrize(
        ("kappa", "message"),
        [(-0.5, r"kappa must not be negative, got -0\.5"), (NAN, "kappa must be finite, got nan")],
    )
    def test_bad_kappa(self, kappa, message):
        with pytest.raises(ValueError, match=message):
            upper_confidence_bound([1.0], [1.0], kappa=kappa)


class TestProbabilityInWindow:
    @given(means, stds, distances, st.floats(1e-3, 20))
    def test_is_the_integral(self, mean, std, distance, width):
        """To 1e-6 of itself, also 10 standard deviations away."""
        low = mean + distance * std
        high = low + width * std
        expected = mean_of(lambda y: low <= y <= high, mean, std, low, high)
        value = probability_in_window([mean], [std], low, high)
        assert value[0] == pytest.approx(expected, rel=1e-6, abs=0)

    @pytest.mark.parametrize("width", [0.01, 1.0, INF])
    def test_far_tails(self, width):
        """To 1e-11 of itself, up to 35 standard deviations away, on either side."""
        for start in np.linspace(1, 35, 35):
            with mpmath.workdps(50):
                exact = float(mpmath.ncdf(-start) - mpmath.ncdf(-mpmath.mpf(start) - width))
            above = probability_in_window([0.0], [1.0], start, start + width)
            below = probability_in_window([0.0], [1.0], -start - width, -start)
            np.testing.assert_allclose([above[0], below[0]], exact, rtol=1e-11)

    @given(some_means, stds, means)
    def test_open_windows_are_improvements(self, mean, std, best):
        std = np.full(len(mean), std)
        for low, high, maximize in ((best, INF, True), (-INF, best, False)):
            np.testing.assert_allclose(
                probability_in_window(mean, std, low, high),
                probability_of_improvement(mean, std, best, maximize=maximize),
                rtol=1e-12,
            )
        np.testing.assert_array_equal(probability_in_window(mean, std, -INF, INF), 1)

    @given(some_means, st.floats(0, 100), means, st.floats(1e-6, 100))
    def test_neighbouring_windows_add_up_and_sides_mirror(self, mean, std, low, width):
        mean, std = np.array(mean), np.full(len(mean), std)
        windows = [(-INF, low), (low, low + width), (low + width, INF)]
        parts = [probability_in_window(mean, std, *window) for window in windows]
        assert all((part >= 0).all() for part in parts)
        known_to_be_an_end = (std == 0) & ((mean == low) | (mean == low + width))
        np.testing.assert_allclose(sum(parts), 1 + known_to_be_an_end)
        mirrored = probability_in_window(-mean, std, -low - width, -low)
        np.testing.assert_allclose(mirrored, parts[1], rtol=1e-9, atol=1e-15)

    def test_zero_std(self):
        mean = [0.9, 1.0, 1.5, 2.0, 2.1]
        inside = [0, 1, 1, 1, 0]
        np.testing.assert_array_equal(probability_in_window(mean, np.zeros(5), 1.0, 2.0), inside)
        near = probability_in_window(mean, np.full(5, 1e-300), 1.0, 2.0)
        np.testing.assert_array_equal(near, [0, 0.5, 1, 0.5, 0])

    @pytest.mark.parametrize(
        ("low", "high"), [(2.0, 1.0), (1.0, 1.0), (NAN, 1.0), (1.0, NAN), (INF, INF), (1.0, -INF)]
    )
    def test_no_window(self, low, high):
        with pytest.raises(ValueError, match=f"low must be below high, got {low} and {high}"):
            probability_in_window([1.0], [1.0], low, high)


@pytest.mark.parametrize("function", ALL, ids=NAMES)
class TestAll:
    @given(means, st.floats(0, 100))
    def test_equal_candidates_are_equally_good(self, function, mean, std):
        values = function(np.full(37, mean), np.full(37, std))
        assert values.shape == (37,)
        assert (values == values[0]).all()

    def test_every_candidate_for_itself(self, function):
        rng = np.random.default_rng(0)
        mean, std = rng.normal(size=100), rng.exponential(size=100) * (rng.random(100) < 0.8)
        whole = function(mean, std)
        assert np.isfinite(whole).all()
        chunks = [function(mean[k : k + 7], std[k : k + 7]) for k in range(0, 100, 7)]
        np.testing.assert_array_equal(np.concatenate(chunks), whole)
        np.testing.assert_array_equal(function(list(mean), list(std)), whole)

    def test_no_candidates(self, function):
        assert function([], []).shape == (0,)

    @pytest.mark.parametrize(
        ("mean", "std", "message"),
        [
            ([1.0, NAN, INF], [1.0] * 3, r"mean must be finite: row 1 is nan \(2 such row"),
            ([1.0] * 3, [1.0, 0.0, NAN], r"std must be finite and not negative: row 2 is nan"),
            ([1.0] * 3, [1.0, -0.5, -2.0], r"not negative: row 1 is -0\.5 \(2 such row"),
            ([1.0] * 3, [1.0, INF, 1.0], "not negative: row 1 is inf"),
            ([1.0] * 3, [1.0], r"mean has the shape \(3,\), but std has \(1,\)"),
            (1.0, 1.0, r"mean must be of shape \(n_samples,\), got \(\)"),
            ([1.0], [[1.0]], r"std must be of shape \(n_samples,\), got \(1, 1\)"),
        ],
    )
    def test_bad_values(self, function, mean, std, message):
        with pytest.raises(ValueError, match=message):
            function(mean, std)


def ensemble(n_members=6, n_samples=40, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_members, 3)) @ rng.normal(size=(3, n_samples)) + 5


class TestThompsonDraws:
    def test_are_as_uncertain_as_the_ensemble(self):
        members = ensemble(n_samples=5)
        draws = thompson_draws(members, n_draws=40_000, random_state=0)
        variance = members.var(axis=0, ddof=1)
        # Five standard errors.
        assert (np.abs(draws.mean(axis=0) - members.mean(axis=0)) < np.sqrt(variance) / 40).all()
        scale = np.sqrt(np.outer(variance, variance))
        covariance = np.cov(draws, rowvar=False)
        np.testing.assert_array_less(
            np.abs(covariance - np.cov(members, rowvar=False)) / scale, 5 * math.sqrt(2 / 40_000)
        )

    def test_are_functions_that_the_members_span(self):
        members = ensemble(n_members=3)
        draws = thompson_draws(members, n_draws=20, random_state=0)
        deviations = np.vstack([draws, members]) - members.mean(axis=0)
        assert np.linalg.matrix_rank(deviations) == 2

    @pytest.mark.parametrize("size", [1, 7, 40])
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_chunks_agree_with_the_whole(self, size, order):
        members = np.asarray(ensemble(), order=order)
        draw = partial(thompson_draws, n_draws=3, random_state=7)
        chunks = [draw(members[:, k : k + size]) for k in range(0, 40, size)]
        np.testing.assert_array_equal(np.hstack(chunks), draw(members))

    def test_seeds(self):
        members = ensemble()
        draws = thompson_draws(members, n_draws=3, random_state=1)
        assert draws.shape == (3, 40)
        assert not np.allclose(draws[0], draws[1])
        np.testing.assert_array_equal(thompson_draws(members, random_state=1), draws[:1])
        assert not np.allclose(thompson_draws(members, random_state=2), draws[0])
        assert not np.allclose(thompson_draws(members), thompson_draws(members))
        generator = np.random.RandomState(1)
        np.testing.assert_array_equal(thompson_draws(members, random_state=generator), draws[:1])
        np.testing.assert_array_equal(thompson_draws(members, random_state=generator), draws[1:2])

    def test_members_that_agree(self):
        members = [[1.0, 2.0, 3.0]] * 2
        np.testing.assert_array_equal(thompson_draws(members, n_draws=2), members)

    @given(st.floats(0.01, 100), means)
    def test_unit_and_origin(self, unit, shift):
        members = ensemble()
        moved = thompson_draws(members * unit + shift, random_state=0)
        expected = thompson_draws(members, random_state=0) * unit + shift
        np.testing.assert_allclose(moved, expected, atol=1e-9)

    def test_no_samples(self):
        assert thompson_draws(np.empty((2, 0)), n_draws=3).shape == (3, 0)

    @pytest.mark.parametrize(
        ("members", "message"),
        [
            ([[1.0, 2.0]], "members must have 2 rows or more, one for each member, got 1"),
            (np.empty((0, 2)), "members must have 2 rows or more, one for each member, got 0"),
            ([1.0, 2.0], r"members must be of shape \(n_members, n_samples\), got \(2,\)"),
            ([[1.0, 2.0], [1.0, NAN]], r"members must be finite: row 1 is \[1\.0, nan\]"),
        ],
    )
    def test_bad_members(self, members, message):
        with pytest.raises(ValueError, match=message):
            thompson_draws(members)

    def test_no_draws(self):
        with pytest.raises(ValueError, match="n_draws == 0, must be >= 1"):
            thompson_draws(ensemble(), n_draws=0)
