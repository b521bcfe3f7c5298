import pytest
import torch

from crabsk.modules import Dropout, sample_subnetwork


class TestDropout:
    @pytest.mark.parametrize("p", [-0.1, 0.999, 1.0])
    def test_everything_cannot_be_dropped(self, p):
        with pytest.raises(ValueError, match=f"dropout={p}"):
            Dropout(p)

    def make(self, p, seed=0):
        layer = Dropout(p).train()
        layer.generator = torch.Generator().manual_seed(seed)
        return layer

    @pytest.mark.parametrize("p", [1 / 256, 0.1, 0.5, 0.9])
    def test_rate_and_mean(self, p):
        y = self.make(p)(torch.ones(1000, 1000))
        assert (y == 0).float().mean() == pytest.approx(p, abs=0.004)
        assert y.mean() == pytest.approx(1, abs=0.004)

    def test_identity_in_evaluation_and_at_rate_zero(self):
        x = torch.randn(5, 3)
        assert self.make(0.5).eval()(x) is x
        assert self.make(0.0)(x) is x

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

    def test_all_but_one_byte_dropped(self):
        y = self.make(255 / 256)(torch.ones(1000, 1000))
        assert y.unique().tolist() == [0, 256]
        assert (y > 0).float().mean() == pytest.approx(1 / 256, rel=0.1)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    @pytest.mark.parametrize("p", [0.0, 1 / 256, 0.1, 0.7])
    def test_before_a_relu_its_gradient_is_the_same(self, p, dtype):
        start = torch.randn(40, 30, generator=torch.Generator().manual_seed(1), dtype=dtype)
        values, gradients, kept = [], [], []
        for before_relu in (False, True):
            x = start.clone().requires_grad_(True)
            storages = set()
            with torch.autograd.graph.saved_tensors_hooks(
                lambda tensor, storages=storages: storages.add(tensor.data_ptr()) or tensor,
                lambda tensor: tensor,
            ):
                y = torch.relu(self.make(p)(x, before_relu=before_relu))
            y.backward(torch.linspace(-2, 3, y.numel(), dtype=dtype).view(y.shape))
            values.append(y.detach())
            gradients.append(x.grad)
            kept.append(len(storages))
            assert torch.equal(x, start)
        assert torch.equal(*values)
        assert torch.equal(*gradients)
        assert kept == [1 if p == 0 else 2, 1]


class TestSampledSubnetwork:
    def make(self):
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(5, 64), Dropout(0.5), torch.nn.Linear(64, 1))

    def test_drops_the_same_features_of_all_rows(self):
        sample = sample_subnetwork(self.make(), seed=0).eval()
        x = torch.randn(9, 5)
        whole = sample(x)
        torch.testing.assert_close(sample(x[:1]), whole[:1])
        torch.testing.assert_close(sample(x[3:]), whole[3:])

    def test_samples_scatter_about_the_network(self):
        network = self.make().eval()
        x = torch.randn(9, 5)
        samples = torch.stack([sample_subnetwork(network, seed)(x) for seed in range(400)])
        standard_error = samples.std(0) / 20
        assert (standard_error > 0).all()
        assert ((samples.mean(0) - network(x)).abs() < 5 * standard_error).all()

    def test_leaves_the_network_alone(self):
        network = self.make().eval()
        x = torch.randn(9, 5)
        before = network(x)
        sample_subnetwork(network, seed=0)(x)
        assert torch.equal(network(x), before)
