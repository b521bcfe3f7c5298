"""Estimators that train in a fraction of a second."""

from crabsk import CrabNetRegressor


def tiny_crabnet(**settings) -> CrabNetRegressor:
    """Return a network that trains in a fraction of a second."""
    defaults = {
        "d_model": 16,
        "n_layers": 1,
        "n_heads": 2,
        "dim_feedforward": 32,
        "head_widths": (16,),
        "n_estimators": 1,
        "max_epochs": 3,
        "learning_rate": 1e-2,
        "dropout": 0.0,
        "random_state": 0,
    }
    return CrabNetRegressor(**{**defaults, **settings})
