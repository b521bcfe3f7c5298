"""How uncertain a model must be of elements that its training samples did not hold."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from ._intervals import COVERAGE, interval_factor
from .composition import N_ELEMENTS, Compositions
from .embeddings import load_embedding

# The networks' own table, which has all elements. Of four tables it is the one in which errors on
# elements left out grow with what similarity leaves open (docs/design.md).
_TABLE = "mat2vec"
_LENGTH = 0.7
# Ratios of the variance of coefficients to that of the misfit, among which the likeliest is taken.
_RATIOS = np.exp(np.linspace(-6.0, 8.0, 57))
# Nothing is more uncertain than by so many standard deviations of the targets.
_MOST = 3.0
# An element tells how errors grow if this share of the samples goes without it.
_SHARE_WITHOUT = 0.5


@dataclass(frozen=True)
class ElementUncertainty:
    r"""What training samples leave open about the contributions of elements to a target.

    The target is taken to be a sum over elements, :math:`y = \sum_e f_e w_e`, whose coefficients
    are alike for elements with like vectors: a Gaussian process over elements [1]_. What samples
    tell of the coefficients is known in closed form. Of an element that is in no sample they tell
    what its likes do. Numbers beside the compositions have coefficients, too.

    Parameters
    ----------
    covariance : ndarray of shape (n_columns, n_columns)
        Of the coefficients, in the squared units of the target.
    center, scale : ndarray of shape (n_extra,)
        Mean and standard deviation of the numbers beside the compositions.
    usual : float
        Variance of the sum that nine in ten samples do not exceed. A model's own standard
        deviations tell of it: they were held to the errors of these samples.
    most : float
        Largest variance beyond the usual. The sum has no bounds, but a target does: where it is no
        sum, and an element has few samples, the covariance alone may exceed all targets by far.

    References
    ----------
    .. [1] Rasmussen, C. E. and Williams, C. K. I., "Gaussian processes for machine learning",
       MIT Press 2006, section 2.1.
    """

    covariance: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    usual: float
    most: float = np.inf  # of files that were written before there was a limit

    def variance(self, compositions: Compositions, extra: np.ndarray) -> np.ndarray:
        """Return the variance beyond the usual, for each sample."""
        x = _design(compositions, (extra - self.center) / self.scale)
        return self._beyond(_variances(x, self.covariance))

    def _beyond(self, variances: np.ndarray) -> np.ndarray:
        return np.clip(variances - self.usual, 0.0, self.most)

    @classmethod
    # Of many small systems. Threads would wait for one another longer than they compute.
    @threadpool_limits.wrap(limits=1, user_api="blas")
    def learn(
        cls,
        compositions: Compositions,
        extra: np.ndarray,
        y: np.ndarray,
        trained: np.ndarray,
        error_variance: float,
    ) -> tuple["ElementUncertainty", np.ndarray]:
        """Learn from the samples of models that predict together.

        Each element in turn is left out, with all of its samples. The covariance is scaled so that
        normal intervals of 90 % then cover the sums, each element counting alike.

        Parameters
        ----------
        compositions : Compositions
            Samples.
        extra : ndarray of shape (n_samples, n_extra)
            Numbers beside them.
        y : ndarray of shape (n_samples,)
            Their targets.
        trained : ndarray of shape (n_models, n_samples), bool
            Which of them each model was trained on. Each sample is new to at least one model.
        error_variance : float
            Mean square error of the models on samples that are new to them.

        Returns
        -------
        uncertainty : ElementUncertainty
        variance : ndarray of shape (n_samples,)
            Variance beyond the usual of each sample, for the models that it is new to.
        """
        center, scale = extra.mean(axis=0), extra.std(axis=0)
        scale[scale == 0] = 1.0
        x, y = _design(compositions, (extra - center) / scale), y - y.mean()
        if not y.any():
            return cls(np.zeros((x.shape[1],) * 2), center, scale, 0.0, 0.0), np.zeros(len(y))
        prior, misfit = _likeliest(_similarity(x.shape[1] - N_ELEMENTS), x, y)
        noise = max(error_variance, 1e-6 * misfit)
        factor = _factor(prior, misfit, noise, x, y)
        covariances = [factor**2 * _posterior(prior, noise, _gram(x[rows])) for rows in trained]
        of_new = sum(
            np.where(rows, 0.0, _variances(x, covariance))
            for rows, covariance in zip(trained, covariances, strict=True)
        ) / np.maximum((~trained).sum(axis=0), 1)
        usual = float(np.quantile(of_new, COVERAGE))
        most = _MOST**2 * float(y @ y) / len(y)
        found = cls(np.mean(covariances, axis=0), center, scale, usual, most)
        return found, found._beyond(of_new)


def _design(compositions: Compositions, extra: np.ndarray) -> csr_array:
    """Return atomic fractions of all elements, then the other numbers, a row for each sample."""
    n_extra = extra.shape[1]
    rows = np.concatenate([compositions.row_of_token, np.repeat(np.arange(len(extra)), n_extra)])
    columns = np.concatenate(
        [compositions.atomic_numbers - 1, np.tile(N_ELEMENTS + np.arange(n_extra), len(extra))]
    )
    values = np.concatenate([compositions.fractions, extra.ravel()])
    return csr_array((values, (rows, columns)), shape=(len(extra), N_ELEMENTS + n_extra))


def _variances(x: csr_array, covariance: np.ndarray) -> np.ndarray:
    """Return the variance of the sum for each row of a design."""
    return np.maximum(x.multiply(x @ covariance).sum(axis=1), 0.0)


def _similarity(n_extra: int) -> np.ndarray:
    """Return the prior covariance of coefficients, up to a factor."""
    vectors = load_embedding(_TABLE).values
    vectors = (vectors - vectors.mean(axis=0)) / vectors.std(axis=0)
    products = vectors @ vectors.T / vectors.shape[1]
    squares = np.diag(products)
    distances = squares[:, None] + squares - 2 * products
    likeness = 0.5 * products + 0.5 * np.exp(-distances / (2 * _LENGTH**2))
    similarity = np.eye(N_ELEMENTS + n_extra)
    similarity[:N_ELEMENTS, :N_ELEMENTS] = likeness
    return similarity


def _gram(x: csr_array) -> np.ndarray:
    return (x.T @ x).toarray()


def _likeliest(similarity: np.ndarray, x: csr_array, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the prior covariance and the variance of the misfit that make y likeliest."""
    # With a Cholesky factor C of the similarity, the evidence for all ratios follows from one
    # decomposition.
    root = np.linalg.cholesky(similarity + 1e-6 * np.eye(len(similarity)))
    eigenvalues, vectors = np.linalg.eigh(root.T @ _gram(x) @ root)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    squares = (vectors.T @ (root.T @ (x.T @ y))) ** 2
    ratios = _RATIOS[:, None]
    misfits = (y @ y - (ratios * squares / (1 + ratios * eigenvalues)).sum(axis=1)) / len(y)
    misfits = np.maximum(misfits, 1e-12 * (y @ y) / len(y))
    loss = len(y) * np.log(misfits) + np.log1p(ratios * eigenvalues).sum(axis=1)
    best = int(loss.argmin())
    return similarity * _RATIOS[best] * misfits[best], float(misfits[best])


def _posterior(prior: np.ndarray, noise: float, gram: np.ndarray) -> np.ndarray:
    """Return the covariance of the coefficients, given samples."""
    return np.linalg.solve(np.eye(len(prior)) + prior @ gram / noise, prior)


def _factor(prior: np.ndarray, misfit: float, noise: float, x: csr_array, y: np.ndarray) -> float:
    """Return by what standard deviations are too small for elements that are left out."""
    gram, projected = _gram(x), x.T @ y
    columns = x.tocsc()
    errors, stds, weights = [], [], []
    for element in np.flatnonzero(np.diff(columns.indptr[: N_ELEMENTS + 1])):
        rows = np.sort(columns.indices[columns.indptr[element] : columns.indptr[element + 1]])
        if len(rows) > (1 - _SHARE_WITHOUT) * len(y):
            continue
        own = x[rows]
        others = gram - _gram(own)
        sums = _posterior(prior, misfit, others) @ (projected - own.T @ y[rows]) / misfit
        errors.append(np.abs(own @ sums - y[rows]))
        stds.append(np.sqrt(_variances(own, _posterior(prior, noise, others))))
        weights.append(np.full(len(rows), 1 / len(rows)))
    if not errors:
        return 1.0
    found = interval_factor(
        np.concatenate(errors), np.concatenate(stds), np.concatenate(weights), len(errors)
    )
    return max(found, 1.0)
