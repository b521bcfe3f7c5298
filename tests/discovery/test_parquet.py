"""screen_parquet: parts that are files, whoever computes them, and whatever ends the process."""

import json
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
from fake_regressors import Linear, NumberOfElements
from pandas.testing import assert_frame_equal
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tiny import tiny_crabnet

from crabsk import CompositionTransformer
from crabsk.composition import FormulaError
from crabsk.discovery import enumerate_compositions, screen, screen_parquet
from crabsk.neural_network import UnseenElementsWarning

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning")

CANDIDATES = enumerate_compositions(["Li", "Fe", "O", "S"], max_amount=3, charge_neutral=False)
FORMULAS = list(CANDIDATES)
KNOWN = ["Fe2O3", "Li2O", "FeS2", "Fe"]
MODEL = Linear().fit()
# 142 candidates in 5 parts.
HOW = {"best": 0.5, "top": 7, "part_size": 30}
SCREEN = {"best": 0.5, "top": 7}


@pytest.fixture(autouse=True)
def _one_part_at_a_time():
    with dask.config.set(scheduler="synchronous"):
        yield


class Counting(Linear):
    """Says what it was asked for; of some formulas it knows nothing."""

    def __init__(self, n_targets=1, seed=0, fails_at=None):
        super().__init__(n_targets, seed)
        self.fails_at = fails_at

    def fit(self, X=None, y=None):
        self.asked_ = []
        return super().fit(X, y)

    def predict(self, X, return_std=False):
        if self.fails_at in X:
            raise MemoryError(f"at {self.fails_at}")
        self.asked_ += list(X)
        return super().predict(X, return_std)


def parts_of(folder):
    return sorted(path.name for path in folder.glob("*.parquet"))


def written(folder, *tables, name="{}.parquet"):
    """Write tables of candidates, and return the folder."""
    folder.mkdir()
    for k, table in enumerate(tables):
        table = table if isinstance(table, pd.DataFrame) else pd.DataFrame({"formula": table})
        table.to_parquet(folder / name.format(k))
    return folder


class TestParts:
    @pytest.mark.parametrize("part_size", [10, 30, 142, 1000])
    def test_all_together_are_what_screen_finds(self, tmp_path, part_size):
        how = {"X_known": KNOWN, "y_known": MODEL.predict(KNOWN), "top": 7}
        for diversity in (0, 0.5):
            expected = screen(MODEL, CANDIDATES, diversity=diversity, **how)
            folder = tmp_path / str(diversity)
            found = screen_parquet(
                MODEL, CANDIDATES, folder, diversity=diversity, part_size=part_size, **how
            )
            assert_frame_equal(found, expected)
            assert len(parts_of(folder)) == -(-142 // part_size)

    def test_ties_keep_the_earlier(self, tmp_path):
        how = {"acquisition": "mean", "top": 11}
        found = screen_parquet(NumberOfElements(), CANDIDATES, tmp_path, part_size=9, **how)
        assert_frame_equal(found, screen(NumberOfElements(), CANDIDATES, **how))

    def test_with_constraints(self, tmp_path):
        classes = MODEL.predict(FORMULAS) > 0.2
        classifier = make_pipeline(CompositionTransformer(stats="fraction"), LogisticRegression())
        how = {"constraints": [(classifier.fit(FORMULAS, classes), True)], **HOW}
        found = screen_parquet(MODEL, CANDIDATES, tmp_path, **how)
        del how["part_size"]
        assert_frame_equal(found, screen(MODEL, CANDIDATES, **how))

    def test_each_holds_its_best(self, tmp_path):
        screen_parquet(MODEL, CANDIDATES, tmp_path / "a" / "b", **HOW)
        assert parts_of(tmp_path / "a" / "b") == [f"part-00000{k}.parquet" for k in range(5)]
        own = pd.read_parquet(tmp_path / "a" / "b" / "part-000003.parquet")
        assert_frame_equal(own, screen(MODEL, FORMULAS[90:120], **SCREEN))

    def test_parts_are_computed_in_threads(self, tmp_path, some_formulas):
        """Of elements that the model has not seen no thread warns, and filters stay as they are."""
        network = tiny_crabnet().fit(*some_formulas)
        how = {"goal": "minimize", "best": 0.0, "top": 7}
        with warnings.catch_warnings(action="error", category=UnseenElementsWarning):
            filters = list(warnings.filters)
            with dask.config.set(scheduler="threads", num_workers=4):
                found = screen_parquet(network, CANDIDATES, tmp_path, part_size=20, **how)
            assert warnings.filters == filters
            expected = screen(network, CANDIDATES, **how)
        assert found["formula"].tolist() == expected["formula"].tolist()
        np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-3)


class TestResume:
    def test_what_is_done_is_not_done_again(self, tmp_path):
        expected = screen_parquet(MODEL, CANDIDATES, tmp_path, **HOW)
        for k in (1, 3):
            (tmp_path / f"part-00000{k}.parquet").unlink()
        model = Counting().fit()
        assert_frame_equal(screen_parquet(model, CANDIDATES, tmp_path, **HOW), expected)
        # The first ten of the first and the last part, by which the screening is known again.
        known_again = [*FORMULAS[:10], *FORMULAS[120:130]]
        assert model.asked_[:20] == known_again
        assert sorted(model.asked_[20:]) == sorted([*FORMULAS[30:60], *FORMULAS[90:120]])
        model.fit()
        assert_frame_equal(screen_parquet(model, CANDIDATES, tmp_path, **HOW), expected)
        assert model.asked_ == known_again

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
        assert sorted(model.asked_[20:]) == sorted(again)

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

    def test_what_the_parts_do_not_depend_on_may_change(self, tmp_path):
        screen_parquet(MODEL, CANDIDATES, tmp_path, diversity=0.2, **HOW)
        model = Counting().fit()
        found = screen_parquet(
            model, CANDIDATES, tmp_path, diversity=0.8, X_known=KNOWN, y_known=[0] * 4, **HOW
        )
        expected = screen(
            MODEL, CANDIDATES, diversity=0.8, X_known=KNOWN, y_known=[0] * 4, **SCREEN
        )
        assert_frame_equal(found, expected)
        assert len(model.asked_) == 20

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
        time.sleep(0.05 if len(X) <= 10 else 0.3)
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
    assert sorted(model.asked_[20:]) == sorted(again)


class TestFiles:
    def test_a_folder(self, tmp_path):
        """Compositions that are in two files count once; other columns are nobody's business."""
        tables = [
            pd.DataFrame({"id": range(60), "formula": FORMULAS[:60]}),
            [f"({formula})2" for formula in FORMULAS[40:80]],
            FORMULAS[80:],
        ]
        source = written(tmp_path / "in", *tables, name="some {}.parquet")
        found = screen_parquet(MODEL, source, tmp_path / "out", **SCREEN)
        together = [*FORMULAS[:60], *tables[1], *FORMULAS[80:]]
        assert_frame_equal(found, screen(MODEL, together, **SCREEN))
        assert parts_of(tmp_path / "out") == [f"some {k}.parquet" for k in range(3)]
        own = pd.read_parquet(tmp_path / "out" / "some 0.parquet")
        assert_frame_equal(own, screen(MODEL, FORMULAS[:60], **SCREEN))

    @pytest.mark.parametrize("form", [str, Path])
    def test_a_file(self, tmp_path, form, monkeypatch):
        source = written(tmp_path / "in", FORMULAS) / "0.parquet"
        expected = screen(MODEL, FORMULAS, **SCREEN)
        found = screen_parquet(MODEL, form(source), form(tmp_path / "out"), **SCREEN)
        assert_frame_equal(found, expected)
        # Again, by a path from elsewhere.
        monkeypatch.chdir(tmp_path)
        model = Counting().fit()
        again = screen_parquet(model, form("in/0.parquet"), form("out"), **SCREEN)
        assert_frame_equal(again, expected)
        assert len(model.asked_) == 20

    def test_files_without_candidates(self, tmp_path):
        source = written(tmp_path / "in", [], FORMULAS[:50], [], FORMULAS[50:])
        found = screen_parquet(MODEL, source, tmp_path / "out", **SCREEN)
        assert_frame_equal(found, screen(MODEL, FORMULAS, **SCREEN))
        assert parts_of(tmp_path / "out") == ["1.parquet", "3.parquet"]

    def test_no_candidates(self, tmp_path):
        for candidates in (
            CANDIDATES[:0],
            written(tmp_path / "empty file", []),
            written(tmp_path / "empty folder"),
        ):
            with pytest.raises(ValueError, match="holds no candidates"):
                screen_parquet(MODEL, candidates, tmp_path / "out", **HOW)
        assert not (tmp_path / "out").exists()

    def test_changed_files_are_refused(self, tmp_path):
        source = written(tmp_path / "in", FORMULAS[:50], FORMULAS[50:])
        screen_parquet(MODEL, source, tmp_path / "out", **SCREEN)
        pd.DataFrame({"formula": FORMULAS[50:-1]}).to_parquet(source / "1.parquet")
        with pytest.raises(ValueError, match="of another screening"):
            screen_parquet(MODEL, source, tmp_path / "out", **SCREEN)

    def test_no_column_of_that_name(self, tmp_path):
        source = written(
            tmp_path / "in", FORMULAS, pd.DataFrame({"id": [1], "composition": ["FeO"]})
        )
        with pytest.raises(ValueError, match=r"1.parquet has no column .formula., but 'id', 'comp"):
            screen_parquet(MODEL, source, tmp_path / "out", **HOW)
        assert not (tmp_path / "out").exists()

    def test_results_are_not_put_over_candidates(self, tmp_path):
        source = written(tmp_path / "in", FORMULAS)
        for candidates in (source, source / "0.parquet"):
            with pytest.raises(ValueError, match=r"is that of the candidates.*choose another"):
                screen_parquet(MODEL, candidates, tmp_path / "in" / ".", **HOW)
        assert pd.read_parquet(source / "0.parquet")["formula"].tolist() == FORMULAS
        assert [path.name for path in source.iterdir()] == ["0.parquet"]

    @pytest.mark.parametrize("row", [5, 25])
    def test_a_formula_that_cannot_be_read(self, tmp_path, row):
        """At once, or when it has its turn: its row in its file is named, and the file."""
        formulas = [*FORMULAS[:row], "Xx2O3", None, *FORMULAS[row:]]
        source = written(tmp_path / "in", FORMULAS, formulas)
        with pytest.raises(FormulaError, match=rf"row {row}: 'Xx2O3'") as caught:
            screen_parquet(MODEL, source, tmp_path / "out", **HOW)
        assert str(source / "1.parquet") in caught.value.__notes__[-1]
        assert "1.parquet" not in parts_of(tmp_path / "out")


class TestErrors:
    @pytest.mark.parametrize(
        ("how", "error", "message"),
        [
            ({"candidates": FORMULAS}, ValueError, "must be what enumerate_compositions, random"),
            ({"candidates": "nowhere"}, ValueError, "there is no file or folder 'nowhere'"),
            ({"part_size": 0}, ValueError, "part_size == 0, must be >= 1"),
            ({"top": 0}, ValueError, "top == 0, must be >= 1"),
            ({"goal": "most"}, ValueError, "goal='most' must be"),
            ({"space": "magpie"}, ValueError, "space='magpie' must be a transformer"),
            ({"X_known": ["Xx"], "y_known": [1.0]}, FormulaError, "row 0: 'Xx'"),
        ],
    )
    def test_wrong_arguments(self, tmp_path, how, error, message):
        with pytest.raises(error, match=message):
            screen_parquet(
                **(
                    {"model": MODEL, "candidates": CANDIDATES, "folder": tmp_path / "out"}
                    | HOW
                    | how
                )
            )
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("missing", ["dask", "pyarrow"])
    def test_what_is_not_installed(self, tmp_path, monkeypatch, missing):
        monkeypatch.setitem(sys.modules, missing, None)
        with pytest.raises(ImportError, match=r"needs dask and pyarrow: pip install"):
            screen_parquet(MODEL, CANDIDATES, tmp_path, **HOW)
