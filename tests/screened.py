"""What the tests of screening share."""

import numpy as np
from sklearn.pipeline import make_pipeline

from crabsk import CompositionTransformer
from crabsk.discovery import enumerate_compositions

CANDIDATES = enumerate_compositions(["Li", "Fe", "O", "S"], max_amount=3, charge_neutral=False)
FORMULAS = list(CANDIDATES)
KNOWN = ["Fe2O3", "Li2O", "FeS2", "Fe", "Li2S"]
FRACTIONS = CompositionTransformer(stats="fraction")


def on_fractions(estimator):
    """Return a model of atomic fractions, and of numbers beside them."""
    return make_pipeline(CompositionTransformer(stats="fraction"), estimator)


def never():
    """Candidates that nothing should ask for."""
    raise AssertionError("asked for a candidate")
    yield


def best_of(formulas, score, top):
    """Return the best formulas and their scores; of equal ones the first."""
    order = np.argsort(-score, kind="stable")[:top]
    return np.array(formulas, dtype=object)[order].tolist(), score[order]
