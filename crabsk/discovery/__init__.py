"""From a model to the next compound: candidates, what they promise, and how far out they are."""

from ._acquisition import (
    expected_improvement,
    probability_in_window,
    probability_of_improvement,
    thompson_draws,
    upper_confidence_bound,
)
from ._alloys import alloy_grid
from ._candidates import Candidates
from ._domain import ApplicabilityDomain
from ._enumeration import enumerate_compositions, random_compositions
from ._pareto import expected_hypervolume_improvement, hypervolume, pareto_front
from ._parquet import screen_parquet
from ._screen import screen
from ._substitution import substitute

__all__ = [
    "ApplicabilityDomain",
    "Candidates",
    "alloy_grid",
    "enumerate_compositions",
    "expected_hypervolume_improvement",
    "expected_improvement",
    "hypervolume",
    "pareto_front",
    "probability_in_window",
    "probability_of_improvement",
    "random_compositions",
    "screen",
    "screen_parquet",
    "substitute",
    "thompson_draws",
    "upper_confidence_bound",
]
