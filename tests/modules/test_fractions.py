import numpy as np
import pytest
import torch

from crabsk.modules import FractionalEncoding, StandardizedFractions, fraction_statistics


def paper_table(dim, resolution=5000):
    """The table of the public code, in double precision."""
    x = np.arange(resolution)[:, None]
    k = np.arange(dim)[None, :]
    table = np.zeros((resolution, dim))
    table[:, 0::2] = np.sin(x / 50 ** (2 * k[:, 0::2] / dim))
    table[:, 1::2] = np.cos(x / 50 ** (2 * k[:, 1::2] / dim))
    return torch.from_numpy(table).float()


class TestFractionalEncoding:
    def test_the_papers_table_at_its_grid_points(self):
        """Row round(5000 f) - 1."""
        row = torch.arange(1, 5001, dtype=torch.float64)
        got = FractionalEncoding(64)((row / 5000).float())
        torch.testing.assert_close(got, paper_table(64), atol=2e-3, rtol=0)

    def test_the_papers_logarithmic_table_at_its_grid_points(self):
        """Row 5000 min(1, 0.0025 log2(f)^2) - 1."""
        row = torch.arange(1, 5001, dtype=torch.float64)
        got = FractionalEncoding(64, log=True)((2 ** -(row / 12.5).sqrt()).float())
        torch.testing.assert_close(got, paper_table(64), atol=5e-3, rtol=0)

    def test_ends(self):
        """Fractions below 1 / 5000 as 1 / 5000; 1 from 2^-20 down in the logarithm."""
        table = paper_table(8)
        got = FractionalEncoding(8)(torch.tensor([1.0, 1 / 5000, 1e-7, 0.0]))
        torch.testing.assert_close(got, table[[4999, 0, 0, 0]], atol=2e-3, rtol=0)
        got = FractionalEncoding(8, log=True)(torch.tensor([1.0, 2.0**-20, 1e-9, 0.0]))
        torch.testing.assert_close(got, table[[0, 4999, 4999, 4999]], atol=2e-3, rtol=0)

    @pytest.mark.parametrize("log", [False, True])
    @pytest.mark.parametrize("noise", [0.0, 0.02])
    def test_no_steps(self, log, noise):
        """Neighbours of single precision differ by less than the shortest wave's slope allows."""
        encoding = FractionalEncoding(64, log=log, noise=noise).eval()
        fractions = torch.logspace(-9, 0, 2000, dtype=torch.float64)
        step = 1e-5
        here, there = (encoding(fractions * factor) for factor in (1.0, 1 - step))
        # One row of the table is one radian of the shortest wave.
        rows = 5000 * fractions * step
        if log:
            rows = 12.5 * 2 * fractions.log2().abs() * step / np.log(2)
        assert ((here - there).abs().amax(1) <= 1.01 * rows + 1e-6).all()

    @pytest.mark.parametrize("log", [False, True])
    def test_noise_is_a_mean_over_fractions(self, log):
        generator = torch.Generator().manual_seed(0)
        fractions = torch.tensor([0.7, 0.25, 0.04, 0.002])
        factors = 1 + 0.02 * torch.randn(200_000, generator=generator)
        exact = FractionalEncoding(32, log=log)
        expected = torch.stack([exact(f * factors).mean(0) for f in fractions])
        got = FractionalEncoding(32, log=log, noise=0.02).eval()(fractions)
        torch.testing.assert_close(got, expected, atol=0.02, rtol=0)

    def test_short_waves_fade_and_long_ones_stay(self):
        fractions = torch.linspace(0.3, 0.7, 500)
        encoding = FractionalEncoding(64, noise=0.02)
        plain, smooth = encoding.train()(fractions), encoding.eval()(fractions)
        assert plain[:, 0].abs().max() > 0.99
        assert smooth[:, 0].abs().max() < 1e-6
        torch.testing.assert_close(smooth[:, 63], plain[:, 63], atol=1e-3, rtol=0)


class TestFractionStatistics:
    def test_of_a_common_element(self):
        """With many tokens, mean and deviation are the element's own, in both scales."""
        generator = torch.Generator().manual_seed(0)
        iron = 0.6 + 0.2 * torch.rand(20_000, generator=generator)
        numbers = torch.cat([torch.full((20_000,), 26), torch.full((20_000,), 6)])
        statistics = fraction_statistics(numbers, torch.cat([iron, 1 - iron]))
        assert statistics.mean[25, 0] == pytest.approx(0.7, abs=2e-3)
        assert statistics.std[25, 0] == pytest.approx(0.2 / 12**0.5, rel=0.02)
        assert statistics.mean[25, 1] == pytest.approx(iron.log().mean().item(), abs=1e-3)
        assert statistics.std[25, 1] == pytest.approx(iron.log().std().item(), rel=0.02)

    def test_an_unseen_element_has_those_of_all(self):
        fractions = torch.tensor([0.4, 0.6, 0.5, 0.5])
        statistics = fraction_statistics(torch.tensor([8, 26, 8, 26]), fractions)
        assert statistics.mean[11, 0] == pytest.approx(0.5)
        assert statistics.std[11, 0] == pytest.approx(fractions.std(correction=0).item())
        assert statistics.narrowness[11] == 0

    def test_narrow_ranges_count_and_wide_ones_do_not(self):
        carbon = torch.linspace(1e-4, 2e-2, 100)
        steels = torch.stack([1 - carbon, carbon], dim=1).flatten()
        narrow = fraction_statistics(torch.tensor([26, 6] * 100), steels).narrowness
        assert narrow[25] > 0.7
        assert narrow[5] > 0.7
        assert narrow[11] == 0
        share = torch.linspace(0.01, 0.99, 100)
        compounds = torch.stack([1 - share, share], dim=1).flatten()
        wide = fraction_statistics(torch.tensor([26, 6] * 100), compounds).narrowness
        assert not wide.any()

    def test_noise_is_not_blown_up(self):
        """Perovskites ABO3 differ in no fraction: all that would be encoded is noise."""
        numbers = torch.tensor([22, 56, 8] * 200)
        fractions = torch.tensor([0.2, 0.2, 0.6] * 200)
        statistics = fraction_statistics(numbers, fractions, noise=0.02)
        noise = 0.02 * statistics.mean[:, 0] / statistics.std[:, 0]
        assert (noise * statistics.narrowness).max() < 0.1

    def test_a_few_narrow_elements_are_not_worth_it(self):
        share = torch.linspace(0.01, 0.99, 500)
        compounds = torch.stack([1 - share, share], dim=1).flatten()
        numbers = torch.cat([torch.tensor([26, 6] * 500), torch.tensor([79, 47])])
        fractions = torch.cat([compounds, torch.tensor([0.5, 0.5])])
        assert not fraction_statistics(numbers, fractions).narrowness.any()

    def test_noise_is_part_of_the_spread(self):
        numbers, fractions = torch.tensor([26, 6] * 50), torch.tensor([0.9, 0.1] * 50)
        plain, noisy = (fraction_statistics(numbers, fractions, noise) for noise in (0.0, 0.1))
        assert noisy.std[25, 0] ** 2 - plain.std[25, 0] ** 2 == pytest.approx(
            (0.3 * plain.mean[25, 0].item()) ** 2, rel=1e-3
        )

    @pytest.mark.parametrize(
        ("numbers", "fractions"), [([], []), ([26], [1.0]), ([8, 26] * 50, [0.4, 0.6] * 50)]
    )
    def test_what_never_varies_has_a_spread_above_zero(self, numbers, fractions):
        statistics = fraction_statistics(
            torch.tensor(numbers, dtype=torch.long), torch.tensor(fractions)
        )
        assert statistics.mean.isfinite().all()
        assert (statistics.std > 0).all()


class TestStandardizedFractions:
    def make(self):
        torch.manual_seed(0)
        numbers = torch.tensor([26, 6] * 10_000)
        carbon = torch.linspace(1e-4, 2e-2, 10_000)
        fractions = torch.stack([1 - carbon, carbon], dim=1).flatten()
        return StandardizedFractions(5, 8, fraction_statistics(numbers, fractions))

    def test_one_percent_among_the_usual_counts_for_more_than_ten_far_off(self):
        layer, vectors = self.make(), torch.randn(118, 5)
        iron = torch.tensor([0.98, 0.99, 0.2, 0.1])
        encoded = layer(vectors, torch.full((4,), 26), iron)
        near, far = (encoded[0] - encoded[1]).norm(), (encoded[2] - encoded[3]).norm()
        assert near > far > 0

    def test_elements_move_in_directions_of_their_own(self):
        layer, vectors = self.make(), torch.randn(118, 5)
        fractions = torch.tensor([0.3, 0.31])
        iron = layer(vectors, torch.tensor([26, 26]), fractions).diff(dim=0)[0]
        copper = layer(vectors, torch.tensor([29, 29]), fractions).diff(dim=0)[0]
        assert torch.cosine_similarity(iron, copper, dim=0).abs() < 0.9

    def test_usual_amounts_of_narrow_elements_are_near_one(self):
        layer = self.make()
        numbers = torch.tensor([26, 6, 6, 29])
        iron, carbon, twice, copper = layer.in_usual_amounts(
            numbers, torch.tensor([0.99, 0.01, 0.02, 0.01])
        ).tolist()
        assert iron == pytest.approx(1, abs=0.02)
        assert 0.2 < carbon < 1.1
        assert twice == pytest.approx(2 * carbon)
        # The data have none of it, so that nothing is usual.
        assert copper == pytest.approx(0.01)

    def test_the_statistics_travel_with_the_weights(self):
        layer = self.make()
        other = StandardizedFractions(5, 8, fraction_statistics(torch.tensor([1]), torch.ones(1)))
        other.load_state_dict(layer.state_dict())
        assert torch.equal(other.std, layer.std)


def test_standardized_fractions_of_no_tokens():
    """A row of zeros alone, by which MAPIE asks whether an estimator is fitted."""
    statistics = fraction_statistics(torch.tensor([26, 6] * 90), torch.tensor([0.99, 0.01] * 90))
    encoding = StandardizedFractions(118, 8, statistics)
    nothing = torch.zeros(0, dtype=torch.int64)
    assert encoding(torch.eye(118), nothing, torch.zeros(0)).shape == (0, 8)
