import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import KFold, ShuffleSplit

from crabsk._validation import validate_compositions
from crabsk.automl._folds import cut, group_numbers


def table_of(X):
    return validate_compositions(BaseEstimator(), X, reset=True)


class TestGroups:
    def test_equal_compositions_are_together(self):
        numbers = group_numbers(table_of(["NaCl", "Cl2Na2", "KCl", "ClNa"]), None)
        assert numbers[0] == numbers[1] == numbers[3] != numbers[2]

    def test_groups_join_what_they_connect(self):
        """By the group a and b, by the composition b and c: so a and c, too."""
        numbers = group_numbers(table_of(["NaCl", "KCl", "KCl", "MgO"]), ["x", "x", "y", "z"])
        assert numbers[0] == numbers[1] == numbers[2] != numbers[3]


class TestCut:
    @pytest.mark.parametrize(("n", "expected"), [(3, 3), (100, 8), (3000, 5)])
    def test_number_of_folds(self, n, expected):
        folds = cut(None, np.zeros(n), np.arange(n), 0, of_classes=False)
        assert len(folds) == expected
        assert sorted(np.concatenate([test for _, test in folds])) == list(range(n))

    def test_no_group_is_in_two_folds(self):
        groups = np.repeat(np.arange(10), 3)
        for train, test in cut(4, np.zeros(30), groups, 0, of_classes=False):
            assert not set(groups[train]) & set(groups[test])

    def test_classes_are_shared_out(self):
        y = np.repeat([0, 1], [80, 20])
        for _, test in cut(4, y, np.arange(100), 0, of_classes=True):
            assert y[test].sum() == 5

    def test_a_splitter_that_tests_some_samples_only_is_refused(self):
        with pytest.raises(ValueError, match="every sample exactly once"):
            cut(ShuffleSplit(3, random_state=0), np.zeros(20), np.arange(20), 0, of_classes=False)

    def test_a_splitter_is_taken(self):
        folds = cut(KFold(2), np.zeros(4), np.arange(4), 0, of_classes=False)
        assert [test.tolist() for _, test in folds] == [[0, 1], [2, 3]]

    @pytest.mark.parametrize("cv", [1, 5])
    def test_too_few_compositions(self, cv):
        with pytest.raises(ValueError, match="4 composition"):
            cut(cv, np.zeros(4), np.arange(4), 0, of_classes=False)
