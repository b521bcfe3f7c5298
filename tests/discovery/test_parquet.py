"""screen_parquet: parts that are files, whoever computes them, and whatever ends the process."""

import json
import signal
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
from fake_regressors import Linear, NumberOfElements
from pandas.testing import assert_frame_equal
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tiny import tiny_crabnet

from crabsk import CompositionTransformer
from crabsk.composition import FormulaError
from crabsk.discovery import (
    alloy_grid,
    enumerate_compositions,
    random_compositions,
    screen,
    screen_parquet,
    substitute,
)
from crabsk.neural_network import UnseenElementsWarning

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning")

CANDIDATES = enumerate_compositions(["Li", "Fe", "O", "S"], max_amount=3, charge_neutral=False)
FORMULAS = list(CANDIDATES)
KNOWN = ["Fe2O3", "Li2O", "FeS2", "Fe"]
MODEL = Linear().fit()
# 142 candidates in 5 parts.
HOW = {"best": 0.5, "top": 7, "part_size": 30}
# Those of each part by which the models are known again.
SOME = [formula for start in range(0, 142, 30) for formula in FORMULAS[start : start + 30][::2]]
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


class OfNoTemperature(Linear):
    """Was fitted to a temperature, too, which makes no difference to it."""

    feature_names_in_ = ("T", "formula")

    def predict(self, X, return_std=False):
        return super().predict(X["formula"], return_std)


# It says the same of all.
CLASSIFIER = DummyClassifier().fit(["Fe", "O"], ["bad", "good"])


def oxides(elements=("Li", "Fe", "O", "S"), max_amount=4, charge_neutral=False, **how):
    return enumerate_compositions(
        elements, max_amount=max_amount, charge_neutral=charge_neutral, **how
    )


def some_oxides(random_state):
    return random_compositions(
        ["Li", "Fe", "O"], 50, charge_neutral=False, random_state=random_state
    )


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

    def test_parts_of_known_compositions_alone(self, tmp_path):
        how = {"acquisition": "mean", "X_known": FORMULAS[:30], "y_known": [0.0] * 30, "top": 7}
        found = screen_parquet(MODEL, CANDIDATES, tmp_path / "0", part_size=10, **how)
        assert_frame_equal(found, screen(MODEL, CANDIDATES, **how))
        with pytest.raises(ValueError, match="no candidates but those of X_known"):
            screen_parquet(MODEL, CANDIDATES[:30], tmp_path / "1", part_size=10, **how)

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
        """Of elements that the model has not seen no thread warns, or silences the warning.

        pandas sets filters of its own in the threads.
        """

        def of_unseen_elements():
            return [its for its in warnings.filters if its[2] is UnseenElementsWarning]

        network = tiny_crabnet().fit(*some_formulas)
        how = {"goal": "minimize", "best": 0.0, "top": 7}
        with warnings.catch_warnings(action="error", category=UnseenElementsWarning):
            filters = of_unseen_elements()
            with dask.config.set(scheduler="threads", num_workers=4):
                found = screen_parquet(network, CANDIDATES, tmp_path, part_size=20, **how)
            assert of_unseen_elements() == filters
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
        assert model.asked_ == FORMULAS[:100]

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
        replaced = [*FORMULAS[50:95], "PuO2", *FORMULAS[96:]]
        for formulas in (FORMULAS[50:-1], replaced):
            pd.DataFrame({"formula": formulas}).to_parquet(source / "1.parquet")
            with pytest.raises(ValueError, match="which differs in 'candidates'"):
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

    @pytest.mark.parametrize("row", [5, 75])
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
            ({"diversity": -1}, ValueError, "diversity == -1, must be >= 0"),
            ({"diversity": 7.0}, ValueError, "diversity == 7.0, must be <= 1"),
            ({"diversity": np.nan}, ValueError, "diversity must be finite"),
            ({"context": {"T": [0.0] * 30}}, ValueError, "one finite number"),
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
        with pytest.raises(
            ImportError, match=r"pip install 'dask\[dataframe\]' distributed pyarrow"
        ):
            screen_parquet(MODEL, CANDIDATES, tmp_path, **HOW)
