"""Standard deviations of a blend, from its models' disagreement and their own."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

# Of the variance of the errors: no standard deviation is smaller, whatever the models say.
_LEAST = 1e-4


@dataclass(frozen=True)
class Spread:
    """What the variance of an error depends on.

    Parameters
    ----------
    constant : float
        The part that is the same for all samples.
    of_disagreement, of_own : float
        By what to multiply the variance between models, and the models' own.
    """

    constant: float
    of_disagreement: float
    of_own: float

    def std(self, disagreement: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return standard deviations, of the shape of the variances."""
        return np.sqrt(self.constant + self.of_disagreement * disagreement + self.of_own * own)

    @classmethod
    def learn(
        cls, errors: np.ndarray, disagreement: np.ndarray, own: np.ndarray, weights: np.ndarray
    ) -> "Spread":
        """Return what makes errors likeliest, as those of a Laplace distribution.

        Its tails are longer than those of a normal one, as errors' are.

        Parameters
        ----------
        errors, disagreement, own, weights : ndarray of shape (n_samples,)
            Of samples that no model has seen.
        """
        variance = float(np.average(errors**2, weights=weights))
        if not variance > 0:
            return cls(0.0, 1.0, 1.0)
        sizes = [float(np.average(part, weights=weights)) for part in (disagreement, own)]
        # In units of what there is on average, of which each part may explain the whole.
        units = np.array([variance, *(variance / size if size > 0 else 0.0 for size in sizes)])
        parts = np.stack([np.ones_like(errors), disagreement, own])
        absolute = np.abs(errors)

        def loss(logs: np.ndarray) -> float:
            std = np.sqrt((units * np.exp(logs)) @ parts)
            return float(np.average(np.log(std) + np.sqrt(2) * absolute / std, weights=weights))

        found = minimize(
            loss,
            np.log(np.full(3, 1 / 3)),
            method="L-BFGS-B",
            bounds=[(np.log(_LEAST), np.log(10.0))] * 3,
        )
        return cls(*(units * np.exp(found.x)).tolist())
