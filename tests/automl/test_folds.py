import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit

from crabsk._validation import group_numbers, validate_compositions
from crabsk.automl._folds import cut


def table_of(X):
    return validate_compositions(BaseEstimator(), X, reset=True)


def cut_of(n, cv, **settings):
    """Cut n samples that are all different."""
    return cut(cv, np.zeros((n, 1)), np.zeros(n), np.arange(n), 0, of_classes=False, **settings)


class TestGroups:
    def test_equal_compositions_are_together(self):
        numbers = group_numbers(table_of(["NaCl", "Cl2Na2", "KCl", "ClNa"]), None)
        assert numbers[0] == numbers[1] == numbers[3] != numbers[2]

    def test_groups_join_what_they_connect(self):
        """By the group a and b, by the composition b and c: so a and c, too."""
        numbers = group_numbers(table_of(["NaCl", "KCl", "KCl", "MgO"]), ["x", "x", "y", "z"])
        assert numbers[0] == numbers[1] == numbers[2] != numbers[3]

    def test_missing_groups(self):
        with pytest.raises(ValueError, match="missing"):
            group_numbers(table_of(["NaCl", "KCl"]), [1.0, np.nan])


class TestCut:
    @pytest.mark.parametrize(("n", "expected"), [(3, 3), (100, 8), (3000, 5)])
    def test_number_of_folds(self, n, expected):
        folds = cut(None, np.zeros((n, 1)), np.zeros(n), np.arange(n), 0, of_classes=False)
        assert len(folds) == expected
        assert sorted(np.concatenate([test for _, test in folds])) == list(range(n))

    def test_no_group_is_in_two_folds(self):
        groups = np.repeat(np.arange(10), 3)
        for train, test in cut(4, np.zeros((30, 1)), np.zeros(30), groups, 0, of_classes=False):
            assert not set(groups[train]) & set(groups[test])

    def test_classes_are_shared_out(self):
        y = np.repeat([0, 1], [80, 20])
        for _, test in cut(4, y[:, None], y, np.arange(100), 0, of_classes=True):
            assert y[test].sum() == 5

    def test_a_splitter_that_tests_some_samples_only_is_refused(self):
        with pytest.raises(ValueError, match="every sample exactly once"):
            cut_of(20, ShuffleSplit(3, random_state=0))

    def test_a_splitter_is_taken(self):
        folds = cut_of(4, KFold(2))
        assert [test.tolist() for _, test in folds] == [[0, 1], [2, 3]]

    @pytest.mark.parametrize("cv", [1, 5])
    def test_too_few_compositions(self, cv):
        with pytest.raises(ValueError, match="4 composition"):
            cut_of(4, cv)

    def test_no_more_folds_than_the_largest_class_has(self):
        y = np.repeat([0, 1], 3)
        folds = cut(None, y[:, None], y, np.arange(6), 0, of_classes=True)
        assert len(folds) == 3

    def test_a_splitter_that_ignores_groups_is_refused_with_groups(self):
        with pytest.raises(ValueError, match="ignores groups"):
            cut_of(6, KFold(3), has_groups=True)
        assert len(cut_of(6, GroupKFold(3), has_groups=True)) == 3

    def test_messages_show_no_whole_splits(self):
        splits = list(KFold(3).split(np.zeros(300)))
        with pytest.raises(ValueError, match="ignores groups: take GroupKFold") as error:
            cut_of(300, splits, has_groups=True)
        assert len(str(error.value)) < 250

    def test_splitters_see_the_samples(self):
        class Halves(KFold):
            def split(self, X, y=None, groups=None):
                assert list(X) == ["NaCl", "KCl"]
                return super().split(X, y, groups)

        X = ["NaCl", "KCl"]
        assert len(cut(Halves(2), X, np.zeros(2), np.arange(2), 0, of_classes=False)) == 2
