"""The packed network against a padded one, written here from the paper and the public code."""

import itertools
import math

import pytest
import torch
from torch import nn

from crabsk.modules import CrabNet, FractionStatistics, PackedBatch, PackedCompositions

D_MODEL, N_HEADS, N_LAYERS = 32, 4, 3
FEEDFORWARD, HEAD = 48, (40, 40, 16)


class PaddedFractionalEncoder(nn.Module):
    """The sinusoids of the reference network, at fractions that are not rounded."""

    def __init__(self, d_model, resolution=5000, log10=False):
        super().__init__()
        self.half = d_model // 2
        self.resolution, self.log10 = resolution, log10

    def forward(self, x):
        x = x.clone()
        if self.log10:
            x = 0.0025 * torch.log2(x) ** 2
            x[x > 1] = 1
        x[x < 1 / self.resolution] = 1 / self.resolution
        x = (x.double() * self.resolution - 1).unsqueeze(-1)
        column = torch.arange(self.half, dtype=torch.float64)
        angle = x / torch.pow(50, 2 * column / self.half)
        return torch.where(column % 2 == 0, angle.sin(), angle.cos())


class PaddedCrabNet(nn.Module):
    """The reference: torch's own encoder on zero-padded compositions with a key mask."""

    def __init__(
        self, vectors, n_outputs, d_model, n_layers, n_heads, feedforward, head, norm_first
    ):
        super().__init__()
        padding = torch.zeros(1, vectors.shape[1])
        self.table = nn.Embedding.from_pretrained(torch.cat([padding, vectors]))
        self.fc = nn.Linear(vectors.shape[1], d_model)
        self.pe = PaddedFractionalEncoder(d_model)
        self.ple = PaddedFractionalEncoder(d_model, log10=True)
        self.scalers = nn.ParameterList(nn.Parameter(torch.ones(1)) for _ in range(3))
        layer = nn.TransformerEncoderLayer(
            d_model, n_heads, feedforward, dropout=0.1, batch_first=True, norm_first=norm_first
        )
        norm = nn.LayerNorm(d_model) if norm_first else None
        self.encoder = nn.TransformerEncoder(layer, n_layers, norm, enable_nested_tensor=False)
        dims = [d_model, *head]
        pairs = list(itertools.pairwise(dims))
        self.fcs = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)
        self.skips = nn.ModuleList(
            nn.Linear(a, b, bias=False) if a != b else nn.Identity() for a, b in pairs
        )
        self.out = nn.Linear(dims[-1], 3 * n_outputs)
        self.n_outputs = n_outputs

    def forward(self, numbers, fractions):
        x = self.fc(self.table(numbers)) * self.scalers[0]
        encoded = torch.cat(
            [self.pe(fractions) * self.scalers[1], self.ple(fractions) * self.scalers[2]], dim=-1
        )
        padded = numbers == 0
        x = self.encoder(x + encoded, src_key_padding_mask=padded)
        for fc, skip in zip(self.fcs, self.skips, strict=True):
            x = nn.functional.leaky_relu(fc(x)) + skip(x)
        contribution, log_sigma, logit = self.out(x).split(self.n_outputs, dim=-1)
        present = (~padded).unsqueeze(-1)
        count = present.sum(1)
        mean = (contribution * torch.sigmoid(logit) * present).sum(1) / count
        return mean, (log_sigma * present).sum(1) / count


def copy_weights(network: CrabNet, reference: PaddedCrabNet) -> None:
    """Give the reference the packed network's weights; every one of both must be met."""
    pairs = [
        (network.embed, reference.fc),
        (network.head.out, reference.out),
        *zip(network.head.residual.layers, reference.fcs, strict=True),
        *zip(network.head.residual.skips, reference.skips, strict=True),
    ]
    if isinstance(network.encoder_norm, nn.LayerNorm):
        pairs.append((network.encoder_norm, reference.encoder.norm))
    for layer, twin in zip(network.encoder, reference.encoder.layers, strict=True):
        twin.self_attn.in_proj_weight.data.copy_(layer.attention.query_key_value.weight)
        twin.self_attn.in_proj_bias.data.copy_(layer.attention.query_key_value.bias)
        pairs += [
            (layer.attention.out, twin.self_attn.out_proj),
            (layer.widen, twin.linear1),
            (layer.narrow, twin.linear2),
            (layer.attention_norm, twin.norm1),
            (layer.feedforward_norm, twin.norm2),
        ]
    for ours, theirs in pairs:
        theirs.load_state_dict(ours.state_dict())
    for ours, theirs in zip(
        (network.embedding_scale, network.linear_scale, network.log_scale),
        reference.scalers,
        strict=True,
    ):
        theirs.data.copy_(ours)
    assert n_trainable(network) == n_trainable(reference)


def n_trainable(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def random_compositions(
    n: int, longest: int = 9, seed: int = 0, n_extra: int = 0, dtype: torch.dtype = torch.float32
):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (n,), generator=generator)
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)])
    numbers = torch.cat([torch.randperm(118, generator=generator)[:m] + 1 for m in lengths])
    amounts = torch.rand(int(offsets[-1]), generator=generator) ** 4 + 1e-5
    row = torch.repeat_interleave(torch.arange(n), lengths)
    fractions = amounts / torch.zeros(n).index_add(0, row, amounts)[row]
    extra = torch.randn(n, n_extra, generator=generator)
    return PackedCompositions(numbers, fractions.to(dtype), offsets, extra.to(dtype))


def padded(compositions: PackedCompositions):
    n, width = len(compositions), int(compositions.lengths.max()) + 2
    numbers = torch.zeros(n, width, dtype=torch.long)
    fractions = torch.zeros(n, width, dtype=compositions.fractions.dtype)
    for i in range(n):
        start, end = compositions.offsets[i], compositions.offsets[i + 1]
        numbers[i, : end - start] = compositions.atomic_numbers[start:end]
        fractions[i, : end - start] = compositions.fractions[start:end]
    return numbers, fractions


def make_network(norm_first=True, n_outputs=2, seed=0, n_extra=0, **settings) -> CrabNet:
    torch.manual_seed(seed)
    network = CrabNet(
        torch.randn(118, 11),
        n_outputs=n_outputs,
        n_extra=n_extra,
        d_model=D_MODEL,
        n_layers=N_LAYERS,
        n_heads=N_HEADS,
        dim_feedforward=FEEDFORWARD,
        norm_first=norm_first,
        head_widths=HEAD,
        **settings,
    ).eval()
    for parameter in network.parameters():
        # Fresh biases are zero and scales one: noise, or an error in either would not show.
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    return network


def predict_all(network: CrabNet, compositions: PackedCompositions, batch_size=1000):
    dtype = compositions.fractions.dtype
    mean = torch.empty(len(compositions), network.n_outputs, dtype=dtype)
    log_sigma = torch.empty_like(mean)
    with torch.no_grad():
        for rows, batch in compositions.batches(torch.arange(len(compositions)), batch_size):
            mean[rows], log_sigma[rows] = network(batch)
    return mean, log_sigma


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("detach_uncertainty", [True, False])
def test_equals_padded_reference(norm_first, detach_uncertainty):
    network = make_network(norm_first, detach_uncertainty=detach_uncertainty)
    reference = PaddedCrabNet(
        network.element_vectors, 2, D_MODEL, N_LAYERS, N_HEADS, FEEDFORWARD, HEAD, norm_first
    ).eval()
    copy_weights(network, reference)
    compositions = random_compositions(50, dtype=torch.float64)
    mean, log_sigma = predict_all(network.double(), compositions)
    with torch.no_grad():
        expected_mean, expected_log_sigma = reference.double()(*padded(compositions))
    torch.testing.assert_close(mean, expected_mean, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(log_sigma, expected_log_sigma, atol=1e-6, rtol=1e-5)
    assert mean.std() > 0.01


def test_gradients_equal_padded_reference():
    network = make_network(norm_first=False)
    reference = PaddedCrabNet(
        network.element_vectors, 2, D_MODEL, N_LAYERS, N_HEADS, FEEDFORWARD, HEAD, False
    ).eval()
    copy_weights(network, reference)
    compositions = random_compositions(20, dtype=torch.float64)
    _rows, batch = next(compositions.batches(torch.arange(20), 20))
    network.double()(batch).mean.square().sum().backward()
    reference.double()(*padded(compositions))[0].square().sum().backward()
    for ours, theirs in [
        (network.embed.weight, reference.fc.weight),
        (network.log_scale, reference.scalers[2]),
        (
            network.encoder[0].attention.query_key_value.weight,
            reference.encoder.layers[0].self_attn.in_proj_weight,
        ),
    ]:
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-4, rtol=1e-4)


def test_paper_setting_has_reference_parameter_count():
    vectors = torch.zeros(118, 200)
    reference = PaddedCrabNet(vectors, 1, 512, 3, 4, 2048, (1024, 512, 256, 128), False)
    assert n_trainable(CrabNet(vectors)) == n_trainable(reference) == 11_987_206


def test_permutation_invariant():
    network = make_network()
    compositions = random_compositions(30)
    order = torch.cat(
        [
            start + torch.randperm(int(n))
            for start, n in zip(compositions.offsets[:-1], compositions.lengths, strict=True)
        ]
    )
    shuffled = PackedCompositions(
        compositions.atomic_numbers[order], compositions.fractions[order], compositions.offsets
    )
    for ours, other in zip(
        predict_all(network, compositions), predict_all(network, shuffled), strict=True
    ):
        torch.testing.assert_close(ours, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 7])
def test_alone_as_in_a_batch(batch_size):
    network = make_network(n_extra=2)
    compositions = random_compositions(40, n_extra=2)
    for together, apart in zip(
        predict_all(network, compositions),
        predict_all(network, compositions, batch_size),
        strict=True,
    ):
        torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-5)


def test_contributions_average_to_the_prediction():
    network = make_network()
    compositions = random_compositions(1, longest=9, seed=3)
    _, batch = next(compositions.batches(torch.tensor([0]), 1))
    with torch.no_grad():
        contributions, _ = network.contributions(batch)
        torch.testing.assert_close(contributions.mean(0), network(batch).mean[0])


def test_attention_weights():
    network = make_network(n_extra=0)
    compositions = random_compositions(25)
    _, batch = next(compositions.batches(torch.arange(25), 25))
    with torch.no_grad():
        weights = network.attention_weights(batch)
        collecting: list = []
        torch.testing.assert_close(
            network.encode_elements(batch, collecting), network.encode_elements(batch)
        )
    assert len(weights) == N_LAYERS
    for layer in weights:
        for (n, m), group in zip(batch.groups, layer, strict=True):
            assert group.shape == (m, N_HEADS, n, n)
            torch.testing.assert_close(group.sum(-1), torch.ones(m, N_HEADS, n))


def test_empty_compositions_predict_zero_and_change_nothing():
    """A matrix of amounts may have rows of zeros: no softmax of nothing, no NaN."""
    network = make_network()
    full = random_compositions(5)
    with_gaps = PackedCompositions(
        full.atomic_numbers,
        full.fractions,
        torch.cat([full.offsets[:1], full.offsets, full.offsets[-1:]]),
    )
    mean, log_sigma = predict_all(network, with_gaps)
    expected, _ = predict_all(network, full)
    torch.testing.assert_close(mean[1:-1], expected, atol=1e-6, rtol=1e-5)
    assert (mean[[0, -1]] == 0).all()
    assert (log_sigma[[0, -1]] == 0).all()
    only_empty = PackedBatch(
        torch.empty(0, dtype=torch.long), torch.empty(0), ((0, 2),), torch.empty(2, 0)
    )
    assert (network(only_empty).mean == 0).all()


def test_extra_features_interact_with_the_composition():
    """The effect of a state variable differs between compositions; an appended offset would not."""
    network = make_network(n_extra=1, n_outputs=1)
    compositions = random_compositions(30)
    effects = []
    for value in (-1.0, 1.0):
        compositions.extra = torch.full((30, 1), value)
        effects.append(predict_all(network, compositions)[0])
    effect = effects[1] - effects[0]
    assert effect.abs().min() > 0
    assert effect.std() > 0.1 * effect.mean().abs()


@pytest.mark.parametrize("weigh_fractions", [False, True])
def test_uncertainty_sends_no_gradient_into_the_mean(weigh_fractions):
    network = make_network(detach_uncertainty=True, weigh_fractions=weigh_fractions)
    _, batch = next(random_compositions(10).batches(torch.arange(10), 10))
    network(batch).log_sigma.sum().backward()
    moved = {name for name, p in network.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved == {"head.out.weight", "head.out.bias"}
    assert not network.head.out.weight.grad[:2].any()
    assert not network.head.out.weight.grad[4:].any()


def test_every_weight_learns_from_the_start():
    """A scale whose gradient is 0 at its first value, as in the paper's code, never moves."""
    torch.manual_seed(0)
    network = CrabNet(
        torch.randn(118, 7), d_model=16, n_heads=2, dim_feedforward=16, head_widths=(16,), n_extra=2
    )
    _, batch = next(random_compositions(30, n_extra=2).batches(torch.arange(30), 30))
    output = network(batch)
    (output.mean.square().sum() + output.log_sigma.square().sum()).backward()
    assert [name for name, p in network.named_parameters() if not p.grad.any()] == []


def test_all_elements_of_one_composition():
    network = make_network()
    everything = PackedCompositions(
        torch.arange(1, 119), torch.full((118,), 1 / 118), torch.tensor([0, 118])
    )
    assert torch.isfinite(predict_all(network, everything)[0]).all()


@pytest.mark.parametrize(("d_model", "n_heads"), [(31, 1), (32, 5), (7, 3), (2, 3), (100, 3)])
def test_any_width_goes_with_any_number_of_heads(d_model, n_heads):
    network = CrabNet(
        torch.rand(118, 3), d_model=d_model, n_heads=n_heads, dim_feedforward=8, head_widths=[4]
    )
    mean, _ = predict_all(network.eval(), random_compositions(12))
    assert torch.isfinite(mean).all()
    assert mean.unique().numel() > 1
    head_width = -(-d_model // n_heads)
    assert network.encoder[0].attention.query_key_value.out_features == 3 * n_heads * head_width


def test_reference_count_is_that_of_the_formula():
    """11,987,206 by hand: linear maps, norms and scalers of the paper's table."""
    d, ff, head = 512, 2048, (1024, 512, 256, 128)
    embed = 200 * d + d
    layer = 3 * d * d + 3 * d + d * d + d + d * ff + ff + ff * d + d + 4 * d
    widths = (d, *head)
    residual = sum(2 * a * b + b for a, b in itertools.pairwise(widths))
    assert embed + 3 * layer + residual + 3 * head[-1] + 3 + 3 == 11_987_206
    assert math.isclose(layer, 3_152_384)


def narrow_statistics() -> FractionStatistics:
    generator = torch.Generator().manual_seed(0)
    mean, std, narrowness = (torch.rand(size, generator=generator) for size in (118, 118, 118))
    return FractionStatistics(mean.repeat(2, 1).T, std.repeat(2, 1).T + 0.1, narrowness)


@pytest.mark.parametrize("statistics", [None, narrow_statistics()])
def test_elements_count_by_weights_of_their_fractions(statistics):
    """Against a walk through one composition, written from the equations."""
    network = make_network(weigh_fractions=True, fraction_statistics=statistics).double()
    compositions = random_compositions(30, dtype=torch.float64)
    mean, log_sigma = predict_all(network, compositions)
    weights = network.attention_weights(next(compositions.batches(torch.arange(30), 30))[1])
    assert len(weights) == N_LAYERS
    for i, (start, end) in enumerate(itertools.pairwise(compositions.offsets.tolist())):
        numbers = compositions.atomic_numbers[start:end]
        fractions = compositions.fractions[start:end]
        expected_mean, expected_log_sigma = walk(network, numbers, fractions)
        torch.testing.assert_close(mean[i], expected_mean, atol=1e-10, rtol=1e-8)
        torch.testing.assert_close(log_sigma[i], expected_log_sigma, atol=1e-10, rtol=1e-8)


@torch.no_grad()
def walk(network, numbers, fractions):
    x = network.embed(network.element_vectors[numbers - 1]) * network.embedding_scale
    x = x + torch.cat(
        [
            network.linear_encoding(fractions) * network.linear_scale,
            network.log_encoding(fractions) * network.log_scale,
        ],
        dim=1,
    )
    amounts = fractions
    if network.standardized is not None:
        x = x + network.standardized(network.element_vectors, numbers, fractions)
        usual, narrowness = network.standardized.mean[:, 0], network.standardized.narrowness
        amounts = fractions / usual[numbers - 1] ** narrowness[numbers - 1]
    for layer in network.encoder:
        attention = layer.attention
        query, key, value = attention.query_key_value(layer.attention_norm(x)).chunk(3, dim=1)
        heads = []
        for h, half in enumerate(attention.fraction_weights.half_counted()):
            part = slice(h * attention.head_width, (h + 1) * attention.head_width)
            scores = (query[:, part] @ key[:, part].T / attention.head_width**0.5).exp()
            scores = scores * amounts / (amounts + half)
            heads.append(scores / scores.sum(1, keepdim=True) @ value[:, part])
        x = x + attention.out(torch.cat(heads, dim=1))
        x = x + layer.narrow(layer.widen(layer.feedforward_norm(x)).relu())
    contribution, log_sigma, gate = network.head(network.encoder_norm(x))
    weights = amounts / (amounts + network.fraction_weights.half_counted())
    weights = (weights / weights.sum()).unsqueeze(1)
    return (weights * contribution * gate.sigmoid()).sum(0), (weights * log_sigma).sum(0)


def test_attention_weights_are_those_of_the_forward_pass():
    network = make_network(weigh_fractions=True).double()
    _rows, batch = next(random_compositions(30, dtype=torch.float64).batches(torch.arange(30), 30))
    with torch.no_grad():
        torch.testing.assert_close(
            network.encode_elements(batch, weights=[]), network.encode_elements(batch)
        )
    for groups in network.attention_weights(batch):
        for weights in groups:
            torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))


def test_a_trace_changes_next_to_nothing():
    network = make_network(weigh_fractions=True).double()
    host = PackedCompositions(
        torch.tensor([26, 28, 24]), torch.tensor([0.7, 0.2, 0.1]).double(), torch.tensor([0, 3])
    )
    for z in range(1, 119):
        if z in (24, 26, 28):
            continue
        for trace, tolerance in ((1e-9, 1e-3), (1e-30, 1e-12)):
            fractions = torch.tensor([0.7, 0.2, 0.1 - trace, trace]).double()
            doped = PackedCompositions(
                torch.tensor([26, 28, 24, z]), fractions, torch.tensor([0, 4])
            )
            for got, expected in zip(
                predict_all(network, doped), predict_all(network, host), strict=True
            ):
                torch.testing.assert_close(got, expected, atol=tolerance, rtol=0)


def test_a_trace_changes_no_encoding():
    network = make_network(weigh_fractions=True).double()
    numbers, offsets = torch.tensor([26, 28, 7]), torch.tensor([0, 2, 5])
    doped = PackedCompositions(
        torch.cat([numbers[:2], numbers]),
        torch.tensor([0.7, 0.3, 0.7, 0.3 - 1e-12, 1e-12]).double(),
        offsets,
    )
    vectors = [network.encode(batch) for _, batch in doped.batches(torch.arange(2), batch_size=1)]
    torch.testing.assert_close(vectors[0], vectors[1], atol=1e-4, rtol=0)


def test_weights_are_learnt_and_bounded():
    network = make_network(weigh_fractions=True)
    _rows, batch = next(random_compositions(30).batches(torch.arange(30), 30))
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    parts = [
        network.fraction_weights,
        *(layer.attention.fraction_weights for layer in network.encoder),
    ]
    before = [part.half_counted().detach().clone() for part in parts]
    network(batch).mean.square().sum().backward()
    optimizer.step()
    for part, old in zip(parts, before, strict=True):
        assert not torch.equal(part.half_counted(), old)
        part.raw.data.fill_(-50.0)
        assert (part.half_counted() >= 1e-4).all()


def test_deviations_of_contributions_are_weighed_as_they_are():
    """A trace has next to none, and changes that of others no more than their contributions."""
    network = make_network(weigh_fractions=True).double()
    numbers = torch.tensor([26, 28, 26, 28, 7])
    fractions = torch.tensor([0.7, 0.3, 0.7, 0.3 - 1e-9, 1e-9]).double()
    compositions = PackedCompositions(numbers, fractions, torch.tensor([0, 2, 5]))
    with torch.no_grad():
        (clean, clean_sigma), (doped, doped_sigma) = (
            network.contributions(batch)
            for _, batch in compositions.batches(torch.arange(2), batch_size=1)
        )
    # Of three elements each contributes three halves of what it did as one of two.
    torch.testing.assert_close(doped[:2], 1.5 * clean, atol=1e-4, rtol=0)
    torch.testing.assert_close(doped_sigma[:2].exp(), 1.5 * clean_sigma.exp(), atol=1e-4, rtol=0)
    assert doped_sigma[2].exp().max() < 1e-4
