import pytest
import torch

from crabsk.modules import FractionalEncoding, StandardizedFractions, fraction_statistics


class TestFractionalEncoding:
    def test_linear_index(self):
        """Index round(5000 f) - 1, fractions below 1 / 5000 as 1 / 5000."""
        encoding = FractionalEncoding(8)
        got = encoding(torch.tensor([1.0, 0.5, 1 / 5000, 1e-7]))
        assert torch.equal(got, encoding.table[[4999, 2499, 0, 0]])

    def test_log_index(self):
        """0.0025 log2(f)^2: 0 for a pure element, 0.04 at 1/16, 1 from 2^-20 down."""
        encoding = FractionalEncoding(8, log=True)
        got = encoding(torch.tensor([1.0, 1 / 16, 2.0**-20, 1e-9, 0.0]))
        assert torch.equal(got, encoding.table[[0, 199, 4999, 4999, 4999]])

    def test_table(self):
        table = FractionalEncoding(6).table
        assert table.shape == (5000, 6)
        assert table[7, 0] == pytest.approx(torch.sin(torch.tensor(7.0)).item(), abs=1e-6)
        angle = 7 / 50 ** (2 * 3 / 6)
        assert table[7, 3] == pytest.approx(torch.cos(torch.tensor(angle)).item(), abs=1e-6)


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

    def test_the_statistics_travel_with_the_weights(self):
        layer = self.make()
        other = StandardizedFractions(5, 8, fraction_statistics(torch.tensor([1]), torch.ones(1)))
        other.load_state_dict(layer.state_dict())
        assert torch.equal(other.std, layer.std)
