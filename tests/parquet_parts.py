"""What the tests of screen_parquet share."""

import pandas as pd
from fake_regressors import Linear
from screened import FORMULAS
from sklearn.dummy import DummyClassifier

from crabsk.discovery import (
    enumerate_compositions,
    random_compositions,
)

KNOWN = ["Fe2O3", "Li2O", "FeS2", "Fe"]
MODEL = Linear().fit()
# 142 candidates in 5 parts.
HOW = {"best": 0.5, "top": 7, "part_size": 30}
# Those of each part by which the models are known again.
SOME = [formula for start in range(0, 142, 30) for formula in FORMULAS[start : start + 30][::2]]
SCREEN = {"best": 0.5, "top": 7}


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
