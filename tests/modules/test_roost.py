"""The packed network against one that walks from pair to pair, written here from the paper."""

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

from crabsk.modules import Group, PackedBatch, Roost, _roost

WIDTH, N_HEADS = 10, 3


def leaky(x):
    return torch.where(x > 0, x, 0.01 * x)


def perceptron(hidden, out, head, x):
    """Two layers, of one head."""

    def part(weights):
        return weights.chunk(N_HEADS)[head]

    y = part(out.weight) @ leaky(part(hidden.weight) @ x + part(hidden.bias))
    return y if out.bias is None else y + part(out.bias)


def attention(layer, seen, fractions):
    """What one receiver gets, given the network's view of each sender."""
    heads = []
    for k in range(N_HEADS):
        strength = torch.stack(
            [
                f ** layer.power[k] * perceptron(layer.gate_hidden, layer.gate_out, k, x).exp()
                for x, f in zip(seen, fractions, strict=True)
            ]
        )
        messages = [perceptron(layer.message_hidden, layer.message_out, k, x) for x in seen]
        weights = strength / strength.sum()
        heads.append(sum(w * message for w, message in zip(weights, messages, strict=True)))
    return sum(heads) / N_HEADS


def residual(network, x):
    for layer, skip in zip(network.layers, network.skips, strict=True):
        x = torch.relu(layer.weight @ x + layer.bias) + skip(x)
    return x


def walk(network, numbers, fractions, extra):
    """Return mean and log sigma of one composition."""
    vectors = [
        torch.cat([network.embed.weight @ network.element_vectors[z - 1] + network.embed.bias, f])
        for z, f in zip(numbers, fractions.unsqueeze(1), strict=True)
    ]
    if network.embed_extra is not None:
        first, _, second = network.embed_extra
        state = second.weight @ torch.relu(first.weight @ extra + first.bias) + second.bias
        vectors = [x + state for x in vectors]
    for layer in network.layers:
        vectors = [
            own + attention(layer, [torch.cat([own, other]) for other in vectors], fractions)
            for own in vectors
        ]
    x = residual(network.trunk, attention(network.pool, vectors, fractions))
    x = residual(network.head, torch.relu(network.trunk_out.weight @ x + network.trunk_out.bias))
    return (
        network.mean.weight @ x + network.mean.bias,
        network.log_sigma.weight @ x + network.log_sigma.bias,
    )


def make_network(**settings) -> Roost:
    torch.manual_seed(0)
    settings = {
        "n_outputs": 2,
        "n_extra": 2,
        "element_width": WIDTH,
        "n_heads": N_HEADS,
        "gate_width": 7,
        "message_width": 9,
        "trunk_widths": (16, 16, 12),
        "head_widths": (8, 6),
        **settings,
    }
    return Roost(torch.randn(118, 11), **settings).double()


@pytest.mark.parametrize("most_pairs", [1, 40, 1024])
@pytest.mark.parametrize(
    "settings", [{}, {"n_layers": 1, "n_extra": 0}, {"n_outputs": 1, "detach_uncertainty": True}]
)
def test_equals_a_walk_from_pair_to_pair(settings, most_pairs, monkeypatch):
    monkeypatch.setattr(_roost, "MOST_PAIRS", most_pairs)
    network = make_network(**settings)
    compositions = random_compositions(n_extra=settings.get("n_extra", 2))
    got = predict_all(network, compositions)
    with torch.no_grad():
        expected = walks(walk, network, compositions)
    for ours, theirs in zip(got, zip(*expected, strict=True), strict=True):
        torch.testing.assert_close(ours, torch.stack(theirs), atol=1e-10, rtol=1e-8)
    assert (got[0].std(0) > 1e-3).all()


def test_gradients_equal_those_of_the_walk():
    network, compositions = make_network(), random_compositions(6)
    weights = list(network.parameters())
    batch = whole_batch(compositions)
    packed = torch.autograd.grad(sum(part.square().sum() for part in network(batch)), weights)
    walked = torch.autograd.grad(
        sum(part.square().sum() for row in walks(walk, network, compositions) for part in row),
        weights,
    )
    for ours, theirs in zip(packed, walked, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-8)


def test_single_precision():
    network, compositions = make_network(), random_compositions()
    batch = whole_batch(compositions)
    single = PackedBatch(
        batch.atomic_numbers, batch.fractions.float(), batch.groups, batch.extra.float()
    )
    expected = network(batch).mean
    torch.testing.assert_close(network.float()(single).mean.double(), expected, atol=1e-5, rtol=0)


def test_paper_setting_has_the_public_parameter_count():
    """2,302,161 with two outputs, less the last biases of 4 x 3 gates."""
    pair, token, width, hidden = 128, 64, 64, 256

    def attention_count(n_in):
        gate = n_in * hidden + hidden + hidden + 1
        message = n_in * hidden + hidden + hidden * width + width
        return 3 * (gate + message + 1)

    embed = 200 * 63 + 63
    trunk = sum(2 * a * b + b for a, b in ((64, 1024), (1024, 512))) + 512 * 256 + 256
    head = sum(2 * a * b + b for a, b in ((256, 128), (128, 64))) + 64 * 2 + 2
    public = embed + 3 * attention_count(pair) + attention_count(token) + trunk + head
    assert public == 2_302_161
    network = Roost(torch.zeros(118, 200))
    assert sum(p.numel() for p in network.parameters()) == public - 12


@pytest.mark.parametrize("n_extra", [0, 2])
def test_empty_compositions_are_finite_and_change_nothing(n_extra):
    assert_empty_compositions_change_nothing(make_network(n_extra=n_extra), n_extra)


@pytest.mark.parametrize("fraction", [0.0, 1e-300])
def test_a_fraction_that_vanishes_is_finite(fraction):
    """An amount of 1e-60 beside one of 1 is no number above 0 in single precision."""
    network = make_network(n_extra=0)
    numbers, fractions = torch.tensor([3, 8]), torch.tensor([fraction, 1.0]).double()
    output = network(PackedBatch(numbers, fractions, (Group(2, 1),), torch.empty(1, 0)))
    output.mean.sum().backward()
    assert output.mean.isfinite().all()
    assert all(p.grad.isfinite().all() for p in network.layers.parameters())


def test_extra_features_interact_with_the_composition():
    network, compositions = make_network(n_outputs=1, n_extra=1), random_compositions(n_extra=1)
    outputs = []
    for value in (-1.0, 1.0):
        compositions.extra = torch.full((30, 1), value).double()
        outputs.append(predict_all(network, compositions)[0])
    effect = outputs[1] - outputs[0]
    assert effect.abs().min() > 0
    assert effect.std() > 0.02 * effect.mean().abs()


def test_every_weight_learns_from_the_start():
    network = make_network()
    output = network(whole_batch(random_compositions()))
    (output.mean.square().sum() + output.log_sigma.square().sum()).backward()
    assert [name for name, p in network.named_parameters() if not p.grad.any()] == []


def test_the_encoder_is_all_but_the_heads():
    network, batch = make_network(), whole_batch(random_compositions())
    encoded = network.encode(batch)
    assert encoded.shape == (30, WIDTH)
    encoded.square().sum().backward()
    outside = {name.partition(".")[0] for name, p in network.named_parameters() if p.grad is None}
    assert outside == set(Roost.heads)


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


def test_refuses_a_trunk_of_one_layer():
    with pytest.raises(ValueError, match="at least two"):
        make_network(trunk_widths=(16,))


def test_order_does_not_matter():
    check_order_does_not_matter(make_network())
