import pytest
import torch

from crabsk.modules import MixtureOfExpertsHead, SharedHead


def make_mixture(**settings):
    torch.manual_seed(0)
    return MixtureOfExpertsHead(
        **{
            "in_features": 6,
            "widths": (8, 5),
            "n_outputs": 3,
            "detach_uncertainty": False,
            "n_experts": 4,
            **settings,
        }
    )


def test_mixture_is_what_the_paper_says():
    """Vector by vector and target by target: a tower on the experts, weighted by a softmax."""
    head = make_mixture()
    x = torch.randn(7, 6)
    output = head(x)
    for row in range(7):
        logits = head.gates.weight.view(3, 4, 6) @ x[row] + head.gates.bias.view(3, 4)
        for k, tower in enumerate(head.towers):
            weights = logits[k].exp() / logits[k].exp().sum()
            mixed = sum(
                weight * expert(x[row])
                for weight, expert in zip(weights, head.experts, strict=True)
            )
            expected = tower(mixed)
            for part, value in zip(output, expected, strict=True):
                torch.testing.assert_close(part[row, k], value)


@pytest.mark.parametrize("mixture", [False, True])
def test_detached_uncertainty_moves_only_its_own_read_off(mixture):
    torch.manual_seed(0)
    head = make_mixture(detach_uncertainty=True)
    if not mixture:
        head = SharedHead(6, (8, 5), 3, detach_uncertainty=True)
    x = torch.randn(7, 6, requires_grad=True)
    head(x).log_sigma.sum().backward()
    assert x.grad is None or not x.grad.any()
    moved = {name for name, w in head.named_parameters() if w.grad is not None and w.grad.any()}
    assert all(name.startswith(("towers", "out")) for name in moved)
    assert moved


def test_value_and_gate_do_reach_the_layers_below():
    head = make_mixture(detach_uncertainty=True)
    x = torch.randn(7, 6, requires_grad=True)
    output = head(x)
    (output.value * output.gate.sigmoid()).sum().backward()
    assert x.grad.any()
    assert all(w.grad.any() for w in head.experts.parameters() if w.grad is not None)
