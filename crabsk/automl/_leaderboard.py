"""The table of candidates."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ._search import Outcome


def leaderboard(
    scores: Mapping[str, np.ndarray],
    of_ensemble: np.ndarray,
    weights: Mapping[str, float],
    outcomes: Mapping[str, Outcome],
) -> pd.DataFrame:
    """Return a row for the ensemble and one for each candidate, the best first.

    Parameters
    ----------
    scores : mapping of str to ndarray of shape (n_folds,)
        Of the candidates that were trained.
    of_ensemble : ndarray of shape (n_folds,)
        Scores of the ensemble.
    weights : mapping of str to float
        Of the candidates that were trained.
    outcomes : mapping of str to Outcome
        Of all candidates.
    """
    rows = [
        _row(name, its, weights[name], outcomes[name])
        for name, its in sorted(scores.items(), key=lambda item: -np.nanmean(item[1]))
    ]
    nothing = np.full(len(of_ensemble), np.nan)
    rows += [
        _row(name, nothing, 0.0, outcome)
        for name, outcome in outcomes.items()
        if name not in scores
    ]
    counted = [row for row in rows if row["weight"] > 0]
    first = {
        **_row("ensemble", of_ensemble, 1.0, Outcome([], "weights learnt from the other folds")),
        **{key: sum(row[key] for row in counted) for key in ("fit_seconds", "predict_seconds")},
    }
    return pd.DataFrame([first, *rows]).set_index("candidate")


def _row(name: str, scores: np.ndarray, weight: float, outcome: Outcome) -> dict[str, Any]:
    fits, known = outcome.fits, not np.isnan(scores).all()
    return {
        "candidate": name,
        "mean": np.nanmean(scores) if known else np.nan,
        "std": np.nanstd(scores) if known else np.nan,
        "weight": float(weight),
        "fit_seconds": sum(fit.fit_seconds for fit in fits) if fits else np.nan,
        "predict_seconds": sum(fit.predict_seconds for fit in fits) if fits else np.nan,
        **{f"fold_{k}": score for k, score in enumerate(scores)},
        "note": outcome.note,
    }
