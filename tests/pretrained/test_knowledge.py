"""What pretrained weights have seen, as hashes and ranks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crabsk.composition import ELEMENTS, parse_formulas
from crabsk.pretrained._knowledge import ENOUGH_TO_RANK, N_RANKS, Knowledge, hashes_of

PROPERTIES = ["energy", "gap"]
FORMULAS = [f"{a}{n}{b}" for a in ELEMENTS[2:12] for b in ELEMENTS[13:17] for n in (1, 2, 3)]
RNG = np.random.default_rng(0)


@pytest.fixture
def values():
    """Energies of all compositions, gaps of every second."""
    made = RNG.normal(size=(len(FORMULAS), 2))
    made[::2, 1] = np.nan
    return made


@pytest.fixture
def knowledge(values):
    return Knowledge.of(PROPERTIES, parse_formulas(FORMULAS), values)


def test_ranks_say_what_was_seen(knowledge, values):
    X = parse_formulas([*FORMULAS, "XeKr", "Li2Xe"])
    ranks = knowledge.ranks_of(X)
    np.testing.assert_array_equal(ranks[:-2] > 0, ~np.isnan(values))
    assert not ranks[-2:].any()


def test_ranks_are_in_the_order_of_the_values(knowledge, values):
    ranks = knowledge.ranks_of(parse_formulas(FORMULAS))[:, 0]
    by_value = ranks[np.argsort(values[:, 0])]
    assert (np.diff(by_value.astype(int)) >= 0).all()
    assert np.bincount(ranks, minlength=N_RANKS + 1)[1:].tolist() == [len(FORMULAS) / N_RANKS] * 8


def test_a_multiple_is_the_same_composition(knowledge):
    as_written = parse_formulas(["Li2Si4", "LiSi2", "Li0.5Si", {"Si": 0.2, "Li": 0.1}])
    assert len(np.unique(hashes_of(as_written))) == 1


def test_hashes_are_those_of_other_machines():
    """Files are read where they were not written."""
    assert hashes_of(parse_formulas(["NaCl", "Fe2O3", "Si0.123456789Ge0.5"])).tolist() == [
        *(403435799332, 330363136578, 689807993679)
    ]


@given(st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=4, unique=True), st.integers(1, 50))
def test_what_was_not_seen_is_not_taken_for_seen(symbols, n):
    """By chance in less than one of a million cases: in none of these."""
    formula = f"H{n}" + "".join(symbols)
    knowledge = Knowledge.of(PROPERTIES, parse_formulas(FORMULAS), np.ones((len(FORMULAS), 2)))
    assert not knowledge.ranks_of(parse_formulas([formula])).any()


def test_empty_composition_was_not_seen(knowledge):
    from crabsk.composition import compositions_from_matrix

    assert not knowledge.ranks_of(compositions_from_matrix(np.zeros((2, 118)))).any()


class TestKnownTargets:
    def test_a_property_that_was_learnt(self, knowledge, values):
        X = parse_formulas(FORMULAS)
        assert knowledge.known_targets(X, values) == {0: "energy", 1: "gap"}

    @pytest.mark.parametrize("change", [lambda y: -y, np.exp, lambda y: y + 0.01 * RNG.normal()])
    def test_in_other_units_and_with_a_little_noise(self, knowledge, values, change):
        X = parse_formulas(FORMULAS)
        assert knowledge.known_targets(X, change(values[:, :1])) == {0: "energy"}

    def test_another_property(self, knowledge, values):
        X = parse_formulas(FORMULAS)
        related = values[:, :1] + 0.5 * RNG.normal(size=(len(FORMULAS), 1))
        assert knowledge.known_targets(X, related) == {}

    @pytest.mark.parametrize("n_ranks", [2, 3, 5])
    def test_of_a_narrow_range(self, n_ranks):
        """One family of compounds, all of whose energies lie in a few of the ranks."""
        values = RNG.normal(size=(len(FORMULAS), 2))
        X = parse_formulas(FORMULAS)
        knowledge = Knowledge.of(PROPERTIES, X, values)
        narrow = np.flatnonzero(knowledge.ranks_of(X)[:, 0] <= n_ranks)
        few = parse_formulas(np.array(FORMULAS)[narrow])
        assert knowledge.known_targets(few, values[narrow, :1]) == {0: "energy"}
        other = RNG.permutation(values[narrow, :1])
        assert knowledge.known_targets(few, other) == {}

    def test_too_few_to_say(self, knowledge, values):
        n = ENOUGH_TO_RANK - 1
        X = parse_formulas([*FORMULAS[:n], *["XeKr", "XeKr2", "XeKr3"] * 20])
        y = np.concatenate([values[:n, :1], RNG.normal(size=(60, 1))])
        assert knowledge.known_targets(X, y) == {}

    def test_repeated_compositions_count_once(self, knowledge, values):
        n = ENOUGH_TO_RANK - 1
        X = parse_formulas(FORMULAS[:n] * 4)
        assert knowledge.known_targets(X, np.tile(values[:n, :1], (4, 1))) == {}

    def test_constant_target(self, knowledge):
        X = parse_formulas(FORMULAS)
        assert knowledge.known_targets(X, np.ones((len(FORMULAS), 1))) == {}


def test_round_trip(knowledge, tmp_path):
    knowledge.write(tmp_path / "seen.npz")
    again = Knowledge.read(tmp_path / "seen.npz")
    assert again.properties == PROPERTIES
    np.testing.assert_array_equal(again.hashes, knowledge.hashes)
    np.testing.assert_array_equal(again.ranks, knowledge.ranks)


def test_reading_executes_nothing(tmp_path):
    """An archive with a pickled object is refused."""
    path = tmp_path / "evil.npz"
    np.savez(path, properties=np.array([print], dtype=object), gaps=[], ranks=[])
    with pytest.raises(ValueError, match="allow_pickle"):
        Knowledge.read(path)
