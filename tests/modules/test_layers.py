import pytest
import torch

from crabsk.modules import Dropout


class TestDropout:
    def make(self, p, seed=0):
        layer = Dropout(p).train()
        layer.generator = torch.Generator().manual_seed(seed)
        return layer

    @pytest.mark.parametrize("p", [0.1, 0.5])
    def test_rate_and_mean(self, p):
        y = self.make(p)(torch.ones(1000, 1000))
        assert (y == 0).float().mean() == pytest.approx(p, abs=0.004)
        assert y.mean() == pytest.approx(1, abs=0.004)

    def test_identity_in_evaluation_and_at_rate_zero(self):
        x = torch.randn(5, 3)
        assert self.make(0.5).eval()(x) is x
        assert self.make(0.0)(x) is x

    def test_rate_one_drops_everything(self):
        assert not self.make(1.0)(torch.ones(4, 4)).any()

    def test_own_generator_only(self):
        before = torch.get_rng_state()
        first, again = (self.make(0.3, seed=5)(torch.ones(99)) for _ in range(2))
        assert torch.equal(first, again)
        assert torch.equal(before, torch.get_rng_state())

    def test_gradient_passes_where_kept(self):
        x = torch.ones(1000, requires_grad=True)
        y = self.make(0.25)(x)
        y.sum().backward()
        assert torch.equal(x.grad, y.detach())
