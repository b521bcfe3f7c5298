"""Muon where matrices are within a network, AdamW elsewhere."""

import copy

import pytest
import torch
from skorch.callbacks import Callback
from tiny import tiny, tiny_crabnet
from torch import nn

from crabsk import RoostRegressor
from crabsk.neural_network._optimizer import ADAMW_RMS, MuonAdamW, orthogonalize


def make_layers():
    torch.manual_seed(0)
    # A network whose matrices have three shapes, two of them the same.
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Linear(8, 8))


def matrices_of(network):
    return [p for p in network.parameters() if p.ndim == 2]


def make_optimizer(network, **settings):
    matrices = matrices_of(network)
    others = [p for p in network.parameters() if p.ndim == 1]
    groups = [{"params": others}, {"params": matrices, "orthogonal": True}]
    return MuonAdamW(groups, **{"lr": 0.01, "weight_decay": 0.0, **settings})


def take_steps(network, optimizer, n_steps, seed=1):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n_steps):
        optimizer.zero_grad()
        x = torch.randn(20, 6, generator=generator)
        (network(x) - x[:, :1]).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("shape", [(4, 16, 16), (2, 8, 24), (2, 24, 8)])
def test_directions_are_kept_and_sizes_evened_out(shape):
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    left, sizes, right = torch.linalg.svd(matrices, full_matrices=False)
    found = left.mT @ orthogonalize(matrices) @ right.mT
    new_sizes = found.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(found, torch.diag_embed(new_sizes), atol=1e-4, rtol=0)
    # Those of a gradient of hardly more than a twentieth of its largest come near one.
    clear = sizes > 0.05 * sizes[:, :1]
    assert clear.float().mean() > 0.9
    assert new_sizes[clear].min() > 0.3
    assert new_sizes.max() < 1.3
    torch.testing.assert_close(orthogonalize(1e4 * matrices), orthogonalize(matrices))


def test_no_gradient_is_no_step():
    assert (orthogonalize(torch.zeros(1, 3, 4)) == 0).all()


def test_others_move_as_by_adamw():
    network = make_layers()
    twin = copy.deepcopy(network)
    for matrix in matrices_of(network):
        matrix.requires_grad_(False)  # so that both see the same gradients
    for matrix in matrices_of(twin):
        matrix.requires_grad_(False)
    take_steps(network, make_optimizer(network, weight_decay=0.1), 5)
    biases = [p for p in twin.parameters() if p.ndim == 1]
    take_steps(twin, torch.optim.AdamW(biases, lr=0.01, weight_decay=0.1), 5)
    for ours, theirs in zip(network.parameters(), twin.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_matrices_move_by_what_adamw_would_move_them():
    network = make_layers()
    before = copy.deepcopy(network)
    take_steps(network, make_optimizer(network), 1)
    for old, new in zip(matrices_of(before), matrices_of(network), strict=True):
        size = (new - old).square().mean().sqrt() / 0.01
        # Of full rank, each singular value would be near one: root mean square ADAMW_RMS.
        assert 0.3 * ADAMW_RMS < size < 1.3 * ADAMW_RMS


def test_weight_decay_shrinks_matrices():
    network = make_layers()
    twin = copy.deepcopy(network)
    take_steps(network, make_optimizer(network), 1)
    take_steps(twin, make_optimizer(twin, weight_decay=0.5), 1)
    start = make_layers()
    for plain, decayed, old in zip(
        matrices_of(network), matrices_of(twin), matrices_of(start), strict=True
    ):
        torch.testing.assert_close(plain - decayed, 0.01 * 0.5 * old)


def test_gradients_are_still_there_after_a_step():
    network = make_layers()
    take_steps(network, make_optimizer(network), 1)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_frozen_matrices_stay():
    network = make_layers()
    network[2].weight.requires_grad_(False)
    before = copy.deepcopy(network)
    take_steps(network, make_optimizer(network, weight_decay=0.5), 3)
    assert torch.equal(network[2].weight, before[2].weight)
    assert not torch.equal(network[3].weight, before[3].weight)


def test_goes_on_from_its_state():
    network = make_layers()
    optimizer = make_optimizer(network)
    take_steps(network, optimizer, 3)
    twin = copy.deepcopy(network)
    other = make_optimizer(twin)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for net, its in ((network, optimizer), (twin, other)):
        take_steps(net, its, 3, seed=2)
    for ours, theirs in zip(network.parameters(), twin.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def groups_of(estimator):
    """Return the optimiser of a fit, and which weights it calls matrices within the network."""
    seen = {}

    class Recorder(Callback):
        def on_epoch_end(self, net, **kwargs):
            names = {id(p): name for name, p in net.online_.named_parameters()}
            seen["optimizer"] = type(net.optimizer_)
            seen["matrices"] = [
                names[id(p)]
                for group in net.optimizer_.param_groups
                if group["orthogonal"]
                for p in group["params"]
            ]

    estimator.set_params(callbacks=[Recorder()], max_epochs=1)
    estimator.fit(["NaCl", "KCl", "NaBr", "KBr"], [1.0, 2.0, 3.0, 4.0])
    return seen


def test_ends_of_the_network_are_left_to_adamw():
    seen = groups_of(tiny_crabnet())
    assert seen["optimizer"] is MuonAdamW
    assert "encoder.0.attention.query_key_value.weight" in seen["matrices"]
    assert "head.residual.layers.0.weight" in seen["matrices"]
    assert not {"embed.weight", "head.out.weight"} & set(seen["matrices"])


@pytest.mark.parametrize(
    "estimator", [tiny_crabnet(architecture="paper"), tiny(RoostRegressor)], ids=["paper", "Roost"]
)
def test_networks_of_papers_keep_their_optimizer(estimator):
    assert groups_of(estimator)["optimizer"] is torch.optim.AdamW
