"""CompositionTransformer on tables of species."""

import numpy as np
import pandas as pd
import pytest
from features import transformed
from pymatgen.core import Composition, Species

from crabsk import CompositionTransformer, CrabNetRegressor
from crabsk.embeddings import load_species_embedding

SALT = {"Na+": 1, "Cl-": 1}
HAEMATITE = {"Fe3+": 2, "O2-": 3}
MAGNETITE = {"Fe2+": 1, "Fe3+": 2, "O2-": 4}


def vector(text):
    table = load_species_embedding("skipspecies")
    frame = pd.DataFrame(table.values, index=list(table.species))
    return frame.loc[[text]].to_numpy()[0]


@pytest.fixture(scope="module")
def peer_features(peer):
    """Return what elementembeddings makes of a mapping."""
    from elementembeddings.composition import SpeciesCompositionalEmbedding
    from elementembeddings.core import SpeciesEmbedding

    embedding = SpeciesEmbedding.load_data("skipspecies")
    return lambda item, stats: SpeciesCompositionalEmbedding(item, embedding).feature_vector(stats)


PEERS_STATS = {"mean": "mean", "min": "minpool", "max": "maxpool", "range": "range", "sum": "sum"}


@pytest.mark.parametrize("stat", PEERS_STATS)
@pytest.mark.parametrize("item", [SALT, HAEMATITE, MAGNETITE])
def test_equals_elementembeddings(peer_features, item, stat):
    features = transformed([item], embedding="skipspecies", stats=stat)
    np.testing.assert_allclose(
        features[0], peer_features(item, PEERS_STATS[stat]), rtol=1e-9, atol=1e-10
    )


def test_mean_by_hand():
    features = transformed([HAEMATITE], embedding="skipspecies", stats="mean")
    by_hand = 0.4 * vector((26, 3.0)) + 0.6 * vector((8, -2.0))
    np.testing.assert_allclose(features[0], by_hand, rtol=1e-12)


def test_pymatgen_and_guesses_are_the_same():
    composition = Composition({Species("Fe", 2): 1, Species("Fe", 3): 2, Species("O", -2): 4})
    settings = {"embedding": "skipspecies", "stats": "mean"}
    given = transformed([MAGNETITE, composition], **settings)
    guessed = transformed(["Fe3O4", "Fe6O8"], oxidation_states="guess", **settings)
    np.testing.assert_allclose(given[1], given[0])
    np.testing.assert_allclose(guessed, given)


def test_beside_other_tables_in_the_order_given():
    X = [SALT, MAGNETITE]
    joined = CompositionTransformer(["magpie", "skipspecies"], stats=["mean", "fraction"])
    features = joined.fit_transform(X)
    parts = [
        transformed(X, embedding="magpie", stats="mean"),
        transformed(X, embedding="skipspecies", stats="mean"),
        transformed(["NaCl", "Fe3O4"], stats="fraction"),
    ]
    np.testing.assert_array_equal(features, np.hstack(parts))
    names = joined.get_feature_names_out()
    assert names[22] == "skipspecies_mean_0"
    assert len(names) == features.shape[1]


def test_columns_beside_the_species():
    X = pd.DataFrame({"formula": [SALT, HAEMATITE], "T": [300.0, 400.0]})
    features = transformed(X, embedding="skipspecies", stats="mean")
    assert features[:, -1].tolist() == [300, 400]


class TestMissing:
    def test_no_oxidation_states(self):
        with pytest.raises(ValueError, match=r"1 rows have no oxidation states \(row 1; first Na"):
            transformed([SALT, "NaCl"], embedding="skipspecies")

    def test_no_guess_balances(self):
        with pytest.raises(ValueError, match=r"row 1; first Cu.*missing='mean'"):
            transformed(["NaCl", "Cu3Au"], embedding="skipspecies", oxidation_states="guess")

    def test_a_species_that_the_table_lacks(self):
        with pytest.raises(ValueError, match=r"hold species that it lacks \(row 0; first Na5\+"):
            transformed([{"Na5+": 1, "Cl5-": 1}], embedding="skipspecies")

    def test_mean_of_the_species_of_an_element(self):
        table = load_species_embedding("skipspecies")
        rows = [row for (z, _), row in table.species.items() if z == 29]
        features = transformed(["Cu"], embedding="skipspecies", stats="mean", missing="mean")
        np.testing.assert_allclose(features[0], table.values[rows].mean(axis=0))

    def test_mean_of_all_where_an_element_has_none(self):
        table = load_species_embedding("skipspecies")
        features = transformed(["He"], embedding="skipspecies", stats="mean", missing="mean")
        np.testing.assert_allclose(features[0], table.values.mean(axis=0))

    def test_zero(self):
        features = transformed(["Cu"], embedding="skipspecies", stats="mean", missing="zero")
        assert not features.any()

    def test_a_matrix_of_amounts_has_no_species(self):
        amounts = pd.DataFrame({"Na": [1.0], "Cl": [1.0]})
        with pytest.raises(ValueError, match="no oxidation states"):
            transformed(amounts, embedding="skipspecies")
        guessed = transformed(amounts, embedding="skipspecies", oxidation_states="guess")
        np.testing.assert_array_equal(guessed, transformed([SALT], embedding="skipspecies"))


RADII = {"Na+": [1.02], "Cl-": [1.81], "Fe2+": [0.78], "Fe3+": [0.645], "O2-": [1.4]}


class TestOwnTables:
    """Vectors of species that the user brings."""

    @pytest.mark.parametrize(
        "table",
        [RADII, pd.DataFrame.from_dict(RADII, orient="index", columns=["radius"])],
        ids=["mapping", "frame"],
    )
    def test_mean(self, table):
        features = transformed([SALT, MAGNETITE], embedding=table, stats="mean")
        mean = (0.78 + 2 * 0.645 + 4 * 1.4) / 7
        np.testing.assert_allclose(features[:, 0], [(1.02 + 1.81) / 2, mean])

    def test_names(self):
        table = pd.DataFrame.from_dict(RADII, orient="index", columns=["radius"])
        transformer = CompositionTransformer([table, "magpie"], stats="mean").fit([SALT])
        assert transformer.get_feature_names_out()[0] == "custom_mean_radius"

    def test_of_elementembeddings(self, peer):
        from elementembeddings.core import SpeciesEmbedding

        own = transformed([SALT], embedding=SpeciesEmbedding.load_data("skipspecies"))
        np.testing.assert_array_equal(own, transformed([SALT], embedding="skipspecies"))

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            (RADII | {"Xe": [1.0]}, r"no species such as Fe3\+: 'Xe'"),
            (RADII | {"Na1+": [1.0]}, "species more than once"),
            (RADII | {"Mg2+": [np.nan]}, r"lacks values of .*Mg2\+"),
            (RADII | {"Mg2+": [np.inf]}, "infinite"),
            (RADII | {"Mg2+": ["wide"]}, "numbers"),
            (RADII | {"Mg2+": [1.0, 2.0]}, "lengths"),
        ],
    )
    def test_what_is_refused(self, table, message):
        with pytest.raises(ValueError, match=message):
            transformed([SALT], embedding=table)

    def test_what_is_no_table(self):
        with pytest.raises(TypeError, match="embedding of species"):
            load_species_embedding(3)


def test_tables_are_those_of_the_fit():
    transformer = CompositionTransformer("skipspecies", stats="mean").fit([SALT])
    before = transformer.transform([SALT])
    transformer.set_params(embedding="magpie")
    np.testing.assert_array_equal(transformer.transform([SALT]), before)


@pytest.mark.parametrize("embedding", ["skipspecies", RADII], ids=["name", "own"])
def test_networks_refuse_a_table_of_species(embedding):
    with pytest.raises(ValueError, match="CompositionTransformer takes it"):
        CrabNetRegressor(embedding=embedding).fit(["NaCl", "KCl"], [1.0, 2.0])
