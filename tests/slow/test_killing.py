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
X, y, settings = json.load(open(sys.argv[1]))
model = CrabNetRegressor(**settings, checkpoint=sys.argv[2]).fit(X, y)
save_model(model.set_params(checkpoint=None), sys.argv[3])
"""


def test_twenty_times(some_formulas, tmp_path):
    """Wherever it hits: while the process starts, in an epoch, in the writing of a file."""
    X, y = some_formulas
    settings = {"max_epochs": 400, "n_estimators": 2, "dropout": 0.1, "early_stopping": True}
    settings |= {"n_iter_no_change": 400}
    parameters = tiny_crabnet(**settings).get_params(deep=False)
    del parameters["checkpoint"]
    task = tmp_path / "task.json"
    task.write_text(json.dumps([X.tolist(), y.tolist(), parameters]))
    command = [sys.executable, "-c", PROGRAM, task, tmp_path / "runs", tmp_path / "model"]
    start = time.perf_counter()
    subprocess.run([*command[:4], tmp_path / "warm up", tmp_path / "whole"], check=True)
    duration = time.perf_counter() - start
    rng = random.Random(0)
    kills = 0
    while kills < 20:
        process = subprocess.Popen(command)
        try:
            process.wait(rng.uniform(0.2, 0.95) * duration)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        else:
            # It came to its end: the next life is of another run.
            assert process.returncode == 0
            (tmp_path / "runs").rename(tmp_path / f"runs before kill {kills}")
    subprocess.run(command, check=True)
    whole = tiny_crabnet(**settings).fit(X, y)
    for path in ("whole", "model"):
        model = load_model(tmp_path / path)
        for ours, theirs in zip(model.nets_, whole.nets_, strict=True):
            expected = theirs.module_.state_dict()
            for name, value in ours.module_.state_dict().items():
                assert value.numpy().tobytes() == expected[name].numpy().tobytes()
