"""The packed network against a dense one, written here from the paper."""

import itertools

import pytest
import torch
from packed import (
    assert_empty_compositions_change_nothing,
    check_order_does_not_matter,
    predict_all,
    random_compositions,
    walks,
    whole_batch,
)
from torch import nn

from crabsk.modules import (
    Dropout,
    ElemNet,
)

WIDTHS = ((14, 14), (12, 12), (8,))


def walk(network, numbers, fractions, extra):
    """Return mean and log sigma of one composition, by way of its dense vector."""
    amounts = torch.zeros(118).double()
    for z, f in zip(numbers, fractions, strict=True):
        amounts[z - 1] += f
    x, weight = amounts @ network.element_vectors, network.embed.weight
    if network.embed_extra is not None:
        x = torch.cat([x, extra])
        weight = torch.cat([weight, network.embed_extra.weight], dim=1)
    x = torch.relu(weight @ x + network.embed.bias)
    for layer in network.hidden:
        if isinstance(layer, nn.Linear):
            x = torch.relu(layer.weight @ x + layer.bias)
    return (
        network.mean.weight @ x + network.mean.bias,
        network.log_sigma.weight @ x + network.log_sigma.bias,
    )


def make_network(**settings) -> ElemNet:
    torch.manual_seed(0)
    settings = {
        "n_outputs": 2,
        "n_extra": 2,
        "widths": WIDTHS,
        "dropout": (0.25, 0.5),
        **settings,
    }
    network = ElemNet(torch.randn(118, 11), **settings).double().eval()
    for parameter in network.parameters():
        # Fresh biases are zero: an error in them would not show.
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize(
    "settings", [{}, {"n_outputs": 1, "n_extra": 0}, {"detach_uncertainty": True, "dropout": ()}]
)
def test_equals_the_dense_network(settings):
    network = make_network(**settings)
    compositions = random_compositions(n_extra=settings.get("n_extra", 2))
    got = predict_all(network, compositions)
    with torch.no_grad():
        expected = walks(walk, network, compositions)
    for ours, theirs in zip(got, zip(*expected, strict=True), strict=True):
        torch.testing.assert_close(ours, torch.stack(theirs), atol=1e-10, rtol=1e-8)
    assert (got[0].std(0) > 1e-2).all()


def test_paper_setting_has_the_papers_layers():
    """17 layers, 4,631,361 weights, and 33 for the uncertainty that the paper has not."""
    network = ElemNet(torch.eye(118)[:, :86])
    sizes = [86, *[1024] * 4, *[512] * 3, *[256] * 3, *[128] * 3, *[64] * 2, 32, 1]
    assert len(sizes) - 1 == 17
    paper = sum(a * b + b for a, b in itertools.pairwise(sizes))
    assert paper == 4_631_361
    assert sum(p.numel() for p in network.parameters()) == paper + 33
    rates, n_layers = {}, 1
    for layer in network.hidden:
        n_layers += isinstance(layer, nn.Linear)
        if isinstance(layer, Dropout):
            rates[n_layers] = layer.threshold / 256
    assert rates == pytest.approx({4: 0.2, 7: 0.1, 10: 0.3, 13: 0.2}, abs=1 / 512)


@pytest.mark.parametrize("n_extra", [0, 2])
def test_empty_compositions_are_finite_and_change_nothing(n_extra):
    assert_empty_compositions_change_nothing(make_network(n_extra=n_extra), n_extra)


def test_extra_features_interact_with_the_composition():
    network, compositions = make_network(n_outputs=1, n_extra=1), random_compositions(n_extra=1)
    outputs = []
    for value in (-1.0, 1.0):
        compositions.extra = torch.full((30, 1), value).double()
        outputs.append(predict_all(network, compositions)[0])
    effect = outputs[1] - outputs[0]
    assert effect.abs().min() > 0
    assert effect.std() > 0.1 * effect.mean().abs()


def test_every_weight_learns_from_the_start():
    torch.manual_seed(0)
    network = ElemNet(torch.randn(118, 11), n_extra=2).double()
    output = network(whole_batch(random_compositions()))
    ((output.mean - 1).square().sum() + (output.log_sigma - 1).square().sum()).backward()
    assert [name for name, p in network.named_parameters() if not p.grad.any()] == []


def test_the_encoder_is_all_but_the_heads():
    network = make_network()
    encoded = network.encode(whole_batch(random_compositions()))
    assert encoded.shape == (30, WIDTHS[-1][-1])
    encoded.square().sum().backward()
    outside = {name.partition(".")[0] for name, p in network.named_parameters() if p.grad is None}
    assert outside == set(ElemNet.heads)


def test_uncertainty_sends_no_gradient_into_the_mean():
    network = make_network(detach_uncertainty=True)
    network(whole_batch(random_compositions())).log_sigma.sum().backward()
    moved = {name for name, p in network.named_parameters() if p.grad is not None}
    assert moved == {"log_sigma.weight", "log_sigma.bias"}


def test_uncertainty_is_bounded():
    network = make_network()
    network.log_sigma.bias.data[:] = torch.tensor([-1e3, 1e3])
    log_sigma = network(whole_batch(random_compositions())).log_sigma
    assert (log_sigma == torch.tensor([-10.0, 10.0])).all()


def test_dropout_only_in_training_and_from_its_own_generator():
    network, batch = make_network(), whole_batch(random_compositions())
    still = network(batch).mean
    before = torch.get_rng_state()
    drawn = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(0)
        for layer in network.train().modules():
            if isinstance(layer, Dropout):
                layer.generator = generator
        drawn.append(network(batch).mean)
    assert torch.equal(*drawn)
    assert not torch.allclose(drawn[0], still)
    assert torch.equal(before, torch.get_rng_state())


def test_refuses_more_dropout_rates_than_blocks():
    with pytest.raises(ValueError, match="4 dropout rates for 3 blocks"):
        make_network(dropout=(0.1, 0.1, 0.1, 0.1))


def test_order_does_not_matter():
    check_order_does_not_matter(make_network())
