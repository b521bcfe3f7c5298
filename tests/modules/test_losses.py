import math

import pytest
import torch

from crabsk.modules import LOSSES, LogLoss, Prediction, WeightedLoss


def prediction(mean, log_sigma):
    return Prediction(
        torch.tensor(mean, requires_grad=True), torch.tensor(log_sigma, requires_grad=True)
    )


def test_robust_losses_are_the_densities():
    error, sigma = 1.7, 0.6
    laplace = -torch.distributions.Laplace(0.0, sigma / math.sqrt(2)).log_prob(torch.tensor(error))
    normal = -torch.distributions.Normal(0.0, sigma).log_prob(torch.tensor(error))
    args = torch.tensor(error), torch.tensor(sigma).log()
    assert LOSSES["robust_l1"](*args) + math.log(math.sqrt(2)) == pytest.approx(laplace.item())
    assert LOSSES["robust_l2"](*args) + math.log(2 * math.pi) / 2 == pytest.approx(normal.item())


@pytest.mark.parametrize(
    ("name", "gradient"), [("absolute_error", -1.0), ("squared_error", -2 * 1.5)]
)
def test_plain_losses_move_the_mean_as_if_alone(name, gradient):
    output = prediction([[0.5]], [[0.3]])
    WeightedLoss(name)(output, (torch.tensor([[2.0]]), torch.ones(1, 1))).backward()
    assert output.mean.grad.item() == pytest.approx(gradient)
    assert output.log_sigma.grad.item() != 0


def test_plain_losses_stand_alone_in_evaluation():
    output = prediction([[0.5]], [[-3.0]])
    loss = WeightedLoss("absolute_error").eval()
    assert loss(output, (torch.tensor([[2.0]]), torch.ones(1, 1))).item() == pytest.approx(1.5)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_missing_labels_send_no_gradient(name):
    output = prediction([[0.5, 1.0], [2.0, 3.0]], [[0.1, 0.2], [0.3, 0.4]])
    weight = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    WeightedLoss(name)(output, (torch.zeros(2, 2), weight)).backward()
    for gradient in (output.mean.grad, output.log_sigma.grad):
        assert (gradient != 0).tolist() == [[True, False], [True, True]]


class TestLogLoss:
    def test_of_exclusive_classes(self):
        torch.manual_seed(0)
        logits, classes = torch.randn(9, 4), torch.arange(9) % 4
        weight = torch.rand(9, 1)
        indicator = torch.eye(4)[classes]
        loss = LogLoss(exclusive=True)(Prediction(logits, logits), (indicator, weight))
        single = torch.nn.functional.cross_entropy(logits, classes, reduction="none")
        torch.testing.assert_close(loss, (single * weight[:, 0]).mean())

    def test_of_labels(self):
        torch.manual_seed(0)
        logits, labels = torch.randn(9, 2), torch.randint(2, (9, 2)).float()
        weight = torch.rand(9, 2)
        loss = LogLoss(exclusive=False)(Prediction(logits, logits), (labels, weight))
        p = torch.where(labels > 0, logits.sigmoid(), 1 - logits.sigmoid())
        torch.testing.assert_close(loss, (-p.log() * weight).mean())

    @pytest.mark.parametrize("exclusive", [False, True])
    def test_weight_zero_sends_no_gradient(self, exclusive):
        logits = torch.randn(3, 2, requires_grad=True)
        weight = torch.tensor([[1.0], [0.0], [1.0]]).expand(3, 1 if exclusive else 2)
        target = torch.eye(2)[[0, 1, 0]]
        LogLoss(exclusive)(Prediction(logits, logits), (target, weight)).backward()
        assert not logits.grad[1].any()
        assert logits.grad[0].any()
