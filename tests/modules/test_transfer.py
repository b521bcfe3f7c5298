"""What `copy_encoder` refuses that no module's text shows."""

import pytest
import torch

from crabsk.modules import Roost, copy_encoder


def test_a_weight_of_another_shape_is_not_spread():
    small = {"element_width": 8, "n_layers": 1, "trunk_widths": (8, 8), "head_widths": (4,)}
    source, network = (Roost(torch.eye(118), **small) for _ in range(2))
    source.layers[0].power = torch.nn.Parameter(torch.ones(1))
    before = network.layers[0].power.clone()
    with pytest.raises(ValueError, match=r"encoders differ in layers\.0\.power"):
        copy_encoder(source, network)
    assert torch.equal(network.layers[0].power, before)
