"""Features of formulas for any estimator."""

from ._transformer import CompositionTransformer

__all__ = ["CompositionTransformer"]
