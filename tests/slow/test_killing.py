"""kill -9 at twenty moments."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest
from tiny import tiny_crabnet

from crabsk import load_model

pytestmark = pytest.mark.slow

PROGRAM = """
import json, sys, torch
torch.set_num_threads(1)
from crabsk import CrabNetRegressor, save_model
from crabsk.neural_network._net import CompositionNet
n_epochs = 0
run_epoch = CompositionNet.run_single_epoch
def counted(net, *args, training, **kwargs):
    global n_epochs
    n_epochs += training
    return run_epoch(net, *args, training=training, **kwargs)
CompositionNet.run_single_epoch = counted
X, y, settings = json.load(open(sys.argv[1]))
model = CrabNetRegressor(**settings, checkpoint=sys.argv[2]).fit(X, y)
save_model(model.set_params(checkpoint=None), sys.argv[3])
print(n_epochs)
"""
EPOCHS = 250


def weights_of(path):
    return [
        value.numpy().tobytes()
        for net in load_model(path).nets_
        for value in net.module_.state_dict().values()
    ]


def test_twenty_times(some_formulas, tmp_path, record_property):
    """Wherever it hits: while the process starts, in an epoch, in the writing of a file."""
    X, y = some_formulas
    settings = {"max_epochs": EPOCHS, "n_estimators": 2, "dropout": 0.1}
    settings |= {"n_iter_no_change": EPOCHS}
    parameters = tiny_crabnet(**settings).get_params(deep=False)
    del parameters["checkpoint"]
    task = tmp_path / "task.json"
    task.write_text(json.dumps([X.tolist(), y.tolist(), parameters]))
    program = [sys.executable, "-c", PROGRAM, task]

    start = time.perf_counter()
    subprocess.run([*program, tmp_path / "undisturbed", tmp_path / "whole"], check=True)
    duration = time.perf_counter() - start
    expected = weights_of(tmp_path / "whole")

    rng = random.Random(0)
    moments: list[float] = []
    trained_again: list[int] = []
    while len(moments) < 20:
        moment = rng.uniform(0.2, 0.95)
        names = (f"{kind} {rng.random()}" for kind in ("runs", "model"))
        command = [*program, *(tmp_path / name for name in names)]
        process = subprocess.Popen(command)
        try:
            process.wait(moment * duration)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        else:
            # It came to its end before: no kill.
            assert process.returncode == 0
            continue
        resumed = subprocess.run(command, check=True, capture_output=True, text=True)
        assert weights_of(command[-1]) == expected
        moments.append(round(moment, 2))
        trained_again.append(int(resumed.stdout))
    record_property("seconds of a fit", round(duration, 1))
    record_property("killed after these shares of it, and resumed", sorted(moments))
    record_property("epochs of 500 that were trained after the kill", sorted(trained_again))
    # Some kills come before the first epoch; the other fits do not start anew.
    assert sum(epochs < 2 * EPOCHS for epochs in trained_again) > 10
