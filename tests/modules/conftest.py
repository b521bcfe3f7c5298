"""What the tests of the networks leave as it was."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _leave_global_random_state_alone():
    with torch.random.fork_rng(devices=[]):
        yield
