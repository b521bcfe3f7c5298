"""screen_parquet: parts that are files, and whoever computes them."""

import sys
import warnings
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
from fake_regressors import NumberOfElements
from pandas.testing import assert_frame_equal
from parquet_parts import (
    HOW,
    KNOWN,
    MODEL,
    SCREEN,
    Counting,
    parts_of,
    written,
)
from screened import CANDIDATES, FORMULAS
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tiny import tiny_crabnet

from crabsk import CompositionTransformer
from crabsk.composition import FormulaError
from crabsk.discovery import (
    screen,
    screen_parquet,
)
from crabsk.neural_network import UnseenElementsWarning

pytestmark = [
    pytest.mark.usefixtures("one_part_at_a_time"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning"),
]


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
