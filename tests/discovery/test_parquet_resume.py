"""screen_parquet called again, after whatever ended the process."""

import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fake_regressors import Linear
from pandas.testing import assert_frame_equal
from parquet_parts import (
    CLASSIFIER,
    HOW,
    KNOWN,
    MODEL,
    SCREEN,
    SOME,
    Counting,
    OfNoTemperature,
    oxides,
    parts_of,
    some_oxides,
)
from screened import CANDIDATES, FORMULAS

from crabsk.discovery import (
    alloy_grid,
    screen,
    screen_parquet,
    substitute,
)

pytestmark = [
    pytest.mark.usefixtures("one_part_at_a_time"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning"),
]


class TestResume:
    def test_what_is_done_is_not_done_again(self, tmp_path):
        expected = screen_parquet(MODEL, CANDIDATES, tmp_path, **HOW)
        for k in (1, 3):
            (tmp_path / f"part-00000{k}.parquet").unlink()
        model = Counting().fit()
        assert_frame_equal(screen_parquet(model, CANDIDATES, tmp_path, **HOW), expected)
        assert model.asked_[: len(SOME)] == SOME
        again = model.asked_[len(SOME) :]
        assert sorted(again) == sorted([*FORMULAS[30:60], *FORMULAS[90:120]])
        model.fit()
        assert_frame_equal(screen_parquet(model, CANDIDATES, tmp_path, **HOW), expected)
        assert model.asked_ == SOME

    def test_after_an_error(self, tmp_path):
        expected = screen_parquet(MODEL, CANDIDATES, tmp_path, **HOW)
        for k in (2, 3, 4):
            (tmp_path / f"part-00000{k}.parquet").unlink()
        with pytest.raises(MemoryError, match="at"):
            screen_parquet(Counting(fails_at=FORMULAS[70]).fit(), CANDIDATES, tmp_path, **HOW)
        done = parts_of(tmp_path)
        assert {"part-000000.parquet", "part-000001.parquet"} <= set(done)
        assert "part-000002.parquet" not in done
        model = Counting().fit()
        assert_frame_equal(screen_parquet(model, CANDIDATES, tmp_path, **HOW), expected)
        left = [k for k in range(5) if f"part-00000{k}.parquet" not in done]
        again = [formula for k in left for formula in FORMULAS[30 * k : 30 * (k + 1)]]
        assert sorted(model.asked_[len(SOME) :]) == sorted(again)

    def test_another_processor_rounds_differently(self, tmp_path):
        class Rounding(Linear):
            def predict(self, X, return_std=False):
                answer = super().predict(X, return_std)
                return tuple(np.float32(part) for part in answer)

        expected = screen_parquet(MODEL, CANDIDATES, tmp_path, **HOW)
        (tmp_path / "part-000001.parquet").unlink()
        found = screen_parquet(Rounding().fit(), CANDIDATES, tmp_path, **HOW)
        assert found["formula"].tolist() == expected["formula"].tolist()

    @pytest.mark.parametrize(
        "changed",
        [
            {"model": Linear(seed=1).fit()},
            {"candidates": CANDIDATES[1:]},
            {"candidates": CANDIDATES[:-1]},
            {"candidates": CANDIDATES[::-1]},
            {"part_size": 29},  # as many parts, with other candidates
            {"top": 6},
            {"diversity": 0.1},
            {"goal": "minimize"},
            {"acquisition": "probability"},
            {"best": 0.4},
            {"constraints": [(MODEL, (0.0, 1.0))]},
        ],
        ids=lambda changed: next(iter(changed)),
    )
    def test_another_screening_is_refused(self, tmp_path, changed):
        first = {"model": MODEL, "candidates": CANDIDATES, **HOW}
        screen_parquet(folder=tmp_path, **first)
        with pytest.raises(ValueError, match=r"holds the parts of another screening.*delete it"):
            screen_parquet(folder=tmp_path, **(first | changed))

    @pytest.mark.parametrize(
        ("what", "first", "second"),
        [
            ("goal", {"goal": (50.0, 50.2)}, {"goal": (60.0, 60.2)}),
            ("goal", {"goal": (50.0, np.inf)}, {"goal": (60.0, np.inf)}),
            ("best known values", {"best": 50.0}, {"best": 60.0}),
            (
                "best known values",
                {"X_known": KNOWN, "y_known": [50.0] * 4},
                {"X_known": KNOWN, "y_known": [50.0, 50.0, 60.0, 50.0]},
            ),
            (
                "acquisition",
                {"acquisition": lambda mean, std: (mean > 50) & (mean < 50.6)},
                {"acquisition": lambda mean, std: (mean > 60) & (mean < 60.7)},
            ),
            (
                "known compositions",
                {"best": 0.5, "X_known": ["Fe2O3"], "y_known": [50.0]},
                {"best": 0.5, "X_known": ["FeO"], "y_known": [50.0]},
            ),
            ("acquisition", {"acquisition": "mean"}, {"acquisition": lambda mean, std: mean}),
            (
                "context",
                {"model": OfNoTemperature().fit(), "best": 0.5, "context": {"T": 300}},
                {"model": OfNoTemperature().fit(), "best": 0.5, "context": {"T": 1000}},
            ),
            (
                "constraints",
                {"best": 0.5, "constraints": [(MODEL, (50.0, 51.0))]},
                {"best": 0.5, "constraints": [(MODEL, (60.0, 61.0))]},
            ),
            (
                "answers of the models",
                {"best": 0.5, "constraints": [(MODEL, (50.0, 51.0))]},
                {"best": 0.5, "constraints": [(Linear(seed=1).fit(), (50.0, 51.0))]},
            ),
            (
                "constraints",
                {"best": 0.5, "constraints": [(CLASSIFIER, "good")]},
                {"best": 0.5, "constraints": [(CLASSIFIER, "bad")]},
            ),
        ],
    )
    def test_questions_that_no_answer_tells_apart_are_refused(self, tmp_path, what, first, second):
        """What is asked, too, and not only what was answered: here all scores are the same."""
        how = {"candidates": CANDIDATES, "folder": tmp_path, "top": 7, "part_size": 30}
        screen_parquet(**({"model": MODEL} | how | first))
        with pytest.raises(ValueError, match=f"which differs in '{what}': choose another folder"):
            screen_parquet(**({"model": MODEL} | how | second))

    def test_a_function_is_known_again(self, tmp_path):
        def score(threshold, mean, std):
            return np.where(mean > threshold, np.exp(mean), std)

        how = {"top": 7, "part_size": 30}
        expected = screen_parquet(
            MODEL, CANDIDATES, tmp_path, acquisition=partial(score, 50.0), **how
        )
        (tmp_path / "part-000001.parquet").unlink()
        found = screen_parquet(
            MODEL, CANDIDATES, tmp_path, acquisition=lambda *of: score(50.0, *of), **how
        )
        assert_frame_equal(found, expected)
        with pytest.raises(ValueError, match="which differs in 'acquisition'"):
            screen_parquet(MODEL, CANDIDATES, tmp_path, acquisition=partial(score, 51.0), **how)

    def test_a_function_that_knows_some_numbers_only(self, tmp_path):
        def score(mean, std):
            if (mean < -100).any():
                raise OverflowError("too low")
            return mean

        with pytest.raises(OverflowError) as caught:
            screen_parquet(MODEL, CANDIDATES, tmp_path / "out", acquisition=score)
        assert "asks it for means from -1e9 to 1e9" in caught.value.__notes__[0]
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("make", "other"),
        [
            (partial(oxides, exclude=["LiFeO2"]), partial(oxides, exclude=["LiFeO3"])),
            (
                partial(oxides, charge_neutral=True, exclude=["LiFeO2"]),
                partial(oxides, charge_neutral=True, exclude=["Li2O"]),
            ),
            (partial(oxides, elements={"O", "Fe", "Li", "S"}), partial(oxides, max_amount=3)),
            (partial(some_oxides, 0), partial(some_oxides, 1)),
            (lambda: oxides()[::2], lambda: oxides()[1::2]),
            (
                lambda: alloy_grid({"Fe": (0, 90), "Cr": (0, 100)}, step=1),
                lambda: alloy_grid({"Cr": (0, 100), "Fe": (0, 90)}, step=1),
            ),
            (
                lambda: alloy_grid({"Fe": (0, 100), "Cr": (0, 100)}, step=1, unit="wt%"),
                lambda: alloy_grid({"Fe": (0, 100), "Cr": (0, 100)}, step=1),
            ),
            (
                lambda: substitute(["NaCl", "Li2O"], exclude=["KCl"]),
                lambda: substitute(["NaCl", "Li2O"], exclude=["RbCl"]),
            ),
        ],
        ids=["excluded", "neutral", "set", "random", "part", "alloys", "weights", "substitutes"],
    )
    def test_other_candidates_are_refused(self, tmp_path, make, other):
        """Even one among those of which none is looked at; the same, made anew, are not."""
        how = {"best": 0.5, "top": 3, "part_size": 5}
        expected = screen_parquet(MODEL, make(), tmp_path, **how)
        (tmp_path / "part-000001.parquet").unlink()
        again = make()
        list(again)
        assert_frame_equal(screen_parquet(MODEL, again, tmp_path, **how), expected)
        with pytest.raises(ValueError, match="which differs in 'candidates'"):
            screen_parquet(MODEL, other(), tmp_path, **how)

    @pytest.mark.parametrize("goals", [["maximize", "minimize"], ["minimize", (-0.5, 0.5)]])
    def test_several_targets(self, tmp_path, goals, two_targets):
        y = two_targets.predict(KNOWN)
        how = {"goal": goals, "X_known": KNOWN, "top": 7, "part_size": 30}
        expected = screen_parquet(two_targets, CANDIDATES, tmp_path, y_known=y, **how)
        (tmp_path / "part-000001.parquet").unlink()
        found = screen_parquet(two_targets, CANDIDATES, tmp_path, y_known=y, **how)
        assert_frame_equal(found, expected)
        with pytest.raises(ValueError, match="which differs in 'best known values'"):
            screen_parquet(two_targets, CANDIDATES, tmp_path, y_known=y - 1e-6, **how)

    def test_a_screening_without_constraints(self, tmp_path):
        """Constraints that all candidates meet were asked for all the same."""
        screen_parquet(MODEL, CANDIDATES, tmp_path, **HOW)
        with pytest.raises(ValueError, match="which differs in 'constraints'"):
            screen_parquet(MODEL, CANDIDATES, tmp_path, constraints=[(MODEL, (-9.0, 9.0))], **HOW)

    def test_what_the_parts_do_not_depend_on_may_change(self, tmp_path):
        screen_parquet(MODEL, CANDIDATES, tmp_path, diversity=0.2, **HOW)
        model = Counting().fit()
        known = {"X_known": KNOWN, "y_known": [0] * 4, "exclude_known": False}
        found = screen_parquet(model, CANDIDATES, tmp_path, diversity=0.8, **known, **HOW)
        expected = screen(MODEL, CANDIDATES, diversity=0.8, **known, **SCREEN)
        assert_frame_equal(found, expected)
        assert model.asked_ == SOME

    def test_parts_of_nobody_knows_what_are_refused(self, tmp_path):
        screen_parquet(MODEL, CANDIDATES, tmp_path, **HOW)
        (tmp_path / "plan.json").unlink()
        with pytest.raises(ValueError, match=r"'part-000000.parquet'.* and no plan.json.*another"):
            screen_parquet(MODEL, CANDIDATES, tmp_path, **HOW)

    def test_another_file_in_place_of_the_plan(self, tmp_path):
        (tmp_path / "plan.json").write_text(json.dumps({"answers": {}}))
        with pytest.raises(ValueError, match="of another screening"):
            screen_parquet(MODEL, CANDIDATES, tmp_path, **HOW)


PROGRAM = """
import sys, time
import dask
from fake_regressors import Linear
from crabsk.discovery import enumerate_compositions, screen_parquet
class Slow(Linear):
    def predict(self, X, return_std=False):
        time.sleep(0.2)
        return super().predict(X, return_std)
candidates = enumerate_compositions(["Li", "Fe", "O", "S"], max_amount=3, charge_neutral=False)
with dask.config.set(scheduler="threads", num_workers=2):
    screen_parquet(Slow().fit(), candidates, sys.argv[1], best=0.5, top=7, part_size=12)
"""


def test_a_kill_loses_nothing_that_is_done(tmp_path):
    folder = tmp_path / "parts"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, folder], cwd=Path(__file__).parents[1]
    )
    try:
        deadline = time.monotonic() + 120
        while len(parts_of(folder)) < 3:
            assert process.poll() is None, "it ended"
            assert time.monotonic() < deadline, "no part was done"
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = parts_of(folder)
    assert 3 <= len(done) < 12
    model = Counting().fit()
    found = screen_parquet(model, CANDIDATES, folder, best=0.5, top=7, part_size=12)
    assert_frame_equal(found, screen(MODEL, CANDIDATES, **SCREEN))
    left = [k for k in range(12) if f"part-{k:06d}.parquet" not in done]
    again = [formula for k in left for formula in FORMULAS[12 * k : 12 * (k + 1)]]
    # Of every other part all are asked, by which the model is known again.
    assert sorted(model.asked_[72:]) == sorted(again)
