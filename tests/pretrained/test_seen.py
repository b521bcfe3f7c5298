"""What the package says of its pretrained weights."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import cross_val_score

from crabsk import CrabNetClassifier, CrabNetRegressor, PretrainedTransformer
from crabsk.composition import FormulaError
from crabsk.pretrained import KnownTargetWarning, properties, seen
from crabsk.pretrained._weights import NAMES, read_knowledge, resolve

QUICK = {"init_from": "pretrained", "max_epochs": 1, "n_estimators": 1, "random_state": 0}


@pytest.fixture(scope="module")
def known_gaps():
    """80 compositions whose band gaps were learnt, and the ranks of these."""
    knowledge = read_knowledge(resolve("pretrained"))
    column = knowledge.properties.index("band_gap_mp_eV")
    binaries = [
        f"{a}{n}{b}"
        for a in ("Li", "Na", "K", "Mg", "Ca", "Al", "Ga", "In", "Zn", "Cd", "Ti", "Fe", "Sn")
        for b in ("O", "S", "Se", "Te", "F", "Cl", "Br", "N", "P", "As", "Sb")
        for n in ("", 2, 3)
    ]
    table = seen(binaries)
    there = np.flatnonzero(table["band_gap_mp_eV"])[:80]
    X = np.array(binaries, dtype=object)[there]
    from crabsk.composition import parse_formulas

    return X, knowledge.ranks_of(parse_formulas(X))[:, column].astype(float)


class TestSeen:
    def test_form(self):
        X = pd.DataFrame({"formula": ["NaCl", "Na2Cl2"]}, index=["a", "b"])
        table = seen(X)
        assert table.index.tolist() == ["a", "b"]
        assert table.columns.tolist() == properties().index.tolist()
        assert table.to_numpy().dtype == bool
        assert table.loc["a"].equals(table.loc["b"])

    def test_well_known_compounds_were_seen(self):
        assert seen(["NaCl", "SrTiO3", "GaAs"])["formation_energy_mp_eV_per_atom"].all()

    def test_dopings_were_not(self):
        assert not seen(["Sr0.93La0.07Ti0.9Nb0.1O3", "Fe0.98C0.0123Mn0.0077"]).to_numpy().any()

    def test_what_is_no_formula(self):
        with pytest.raises(FormulaError):
            seen(["NaCl", "Unobtainium"])

    def test_unknown_weights(self):
        with pytest.raises(ValueError, match=r"no weights 'pretrained-0'.*pretrained-1"):
            seen(["NaCl"], weights="pretrained-0")


class TestProperties:
    @pytest.mark.parametrize("name", ["pretrained", *NAMES])
    def test_each_has_a_source_and_a_licence(self, name):
        table = properties(name)
        assert table.index.is_unique
        assert (table[["title", "source", "licence"]] != "").all(axis=None)
        assert (table["n_compositions"] >= 500).all()

    def test_counts_are_those_of_the_knowledge(self):
        knowledge = read_knowledge(resolve("pretrained"))
        counts = (knowledge.ranks > 0).sum(axis=0)
        assert dict(zip(knowledge.properties, counts.tolist(), strict=True)) == (
            properties()["n_compositions"].to_dict()
        )


class TestWarning:
    def test_of_a_network_that_starts_from_them(self, known_gaps):
        X, y = known_gaps
        with pytest.warns(KnownTargetWarning, match="band_gap_mp_eV"):
            CrabNetRegressor(**QUICK).fit(X, y)

    def test_of_the_transformer(self, known_gaps):
        X, y = known_gaps
        with pytest.warns(KnownTargetWarning, match="the target is"):
            PretrainedTransformer().fit(X, y)

    def test_of_one_of_several_targets(self, known_gaps):
        X, y = known_gaps
        other = np.random.default_rng(0).normal(size=len(y))
        with pytest.warns(KnownTargetWarning, match="target or class 1 is"):
            CrabNetRegressor(**QUICK).fit(X, np.column_stack([other, y]))

    def test_of_classes(self, known_gaps):
        X, y = known_gaps
        classes = np.where(y > np.median(y), "wide", "narrow")
        with pytest.warns(KnownTargetWarning):
            CrabNetClassifier(**QUICK).fit(X, classes)

    def test_once_in_a_cross_validation(self, known_gaps):
        X, y = known_gaps
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default", KnownTargetWarning)
            cross_val_score(CrabNetRegressor(**QUICK), X, y, cv=3)
        assert sum(w.category is KnownTargetWarning for w in caught) == 1

    def test_of_weights_given_as_a_file(self, known_gaps):
        X, y = known_gaps
        file = resolve("pretrained")
        with pytest.warns(KnownTargetWarning):
            CrabNetRegressor(**QUICK | {"init_from": file}).fit(X, y)
        with pytest.warns(KnownTargetWarning):
            PretrainedTransformer(weights=str(file)).fit(X, y)

    @pytest.mark.parametrize(
        "form",
        [
            list,
            pd.Series,
            pl.Series,
            lambda y: pd.Series([*y[:-1], pd.NA], dtype="Float64"),
            lambda y: [*y[:-1], None],
            lambda y: np.array([f"class {value:03.0f}" for value in y]),
        ],
    )
    def test_whatever_y_is(self, known_gaps, form):
        X, y = known_gaps
        with pytest.warns(KnownTargetWarning):
            PretrainedTransformer().fit(X, form(y))

    def test_none_from_nothing(self, known_gaps):
        X, y = known_gaps
        CrabNetRegressor(**QUICK | {"init_from": None}).fit(X, y)

    def test_none_of_another_target(self, known_gaps):
        X, y = known_gaps
        shuffled = np.random.default_rng(0).permutation(y)
        CrabNetRegressor(**QUICK).fit(X, shuffled)
