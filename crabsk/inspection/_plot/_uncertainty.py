"""Pictures that ask whether predicted standard deviations can be relied on."""

from typing import Any, Self

import numpy as np
from sklearn.utils import check_array, check_consistent_length

from ...metrics import confidence_curve, coverage_curve, miscalibration_area
from ._common import COLORS, GREY, check_kind, check_matplotlib_support, one_axes, with_unit

_KINDS = ("coverage", "error", "confidence")
# Half widths, in standard deviations, of the central intervals of 95 % and 68 %; opacities.
_FAN = ((1.96, 0.2, "should hold 95 %"), (0.994, 0.35, "should hold 68 %"))


class UncertaintyDisplay:
    """Whether predicted standard deviations tell how far off the predictions are.

    Made by `from_estimator` or `from_predictions`; all parameters are stored as attributes.

    Parameters
    ----------
    y_true : ndarray of shape (n_samples,)
        Labels, all known.
    y_pred : ndarray of shape (n_samples,)
        Predictions.
    y_std : ndarray of shape (n_samples,)
        Their standard deviations.

    Attributes
    ----------
    ax_ : Axes
        The axes.
    figure_ : Figure
        The figure.
    line_ : Line2D
        The curve; only of "coverage" and "confidence".
    reference_ : Line2D
        What a perfect curve would be; only of "coverage" and "confidence".
    scatter_ : PathCollection
        The errors; only of "error".
    bands_ : list of artists
        Where 95 % and 68 % of the errors should lie; only of "error".

    See Also
    --------
    crabsk.metrics.coverage_curve : The curve of "coverage".
    crabsk.metrics.confidence_curve : The curve of "confidence".

    Examples
    --------
    >>> import numpy as np
    >>> from crabsk.inspection import UncertaintyDisplay
    >>> rng = np.random.default_rng(0)
    >>> y_pred, y_std = rng.normal(size=200), rng.uniform(0.1, 0.5, 200)
    >>> y_true = rng.normal(y_pred, y_std)
    >>> display = UncertaintyDisplay.from_predictions(y_true, y_pred, y_std)
    >>> display.ax_.get_xlabel()
    'probability of the interval'
    >>> display.plot(kind="error", unit="eV").ax_.get_xlabel()
    'predicted standard deviation (eV)'
    """

    def __init__(self, *, y_true: np.ndarray, y_pred: np.ndarray, y_std: np.ndarray) -> None:
        self.y_true = y_true
        self.y_pred = y_pred
        self.y_std = y_std

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        kind: str = "coverage",
        target: int | None = None,
        unit: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Show the uncertainties that a fitted regressor predicts.

        Parameters
        ----------
        estimator : regressor
            A fitted one whose `predict` takes ``return_std=True``: crabsk's, or scikit-learn's
            Gaussian process.
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Samples that the estimator was not fitted to.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their labels, NaN where missing.
        kind : {"coverage", "error", "confidence"}, default="coverage"
            See `plot`.
        target : int, default=None
            Which of several targets.
        unit : str, default=None
            Unit of the target, for the labels.
        ax : Axes, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        UncertaintyDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            As `from_predictions`.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        y_pred, y_std = estimator.predict(X, return_std=True)
        return cls.from_predictions(y, y_pred, y_std, kind=kind, target=target, unit=unit, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        y_std: Any,
        *,
        kind: str = "coverage",
        target: int | None = None,
        unit: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Show predicted uncertainties.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels, NaN where missing.
        y_pred, y_std : array-like of the same shape
            Predictions and their standard deviations.
        kind : {"coverage", "error", "confidence"}, default="coverage"
            See `plot`.
        target : int, default=None
            Which of several targets.
        unit : str, default=None
            Unit of the target, for the labels.
        ax : Axes, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        UncertaintyDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If the shapes differ, there is no label at all, or there are several targets and
            `target` chooses none.
        """
        check_matplotlib_support(f"{cls.__name__}.from_predictions")
        columns = [
            _one_target(values, name, target)
            for name, values in (("y_true", y_true), ("y_pred", y_pred), ("y_std", y_std))
        ]
        check_consistent_length(*columns)
        labelled = ~np.isnan(columns[0])
        true, pred, std = (column[labelled] for column in columns)
        return cls(y_true=true, y_pred=pred, y_std=std).plot(ax, kind=kind, unit=unit)

    def plot(self, ax: Any = None, *, kind: str = "coverage", unit: str | None = None) -> Self:
        """Draw one picture.

        Parameters
        ----------
        ax : Axes, default=None
            Where to draw; a new figure by default.
        kind : {"coverage", "error", "confidence"}, default="coverage"
            - "coverage": the share of labels inside central intervals, against the intervals'
              probability. Below the diagonal, predictions are overconfident;
            - "error": errors against standard deviations, in a fan that should hold 68 % and 95 %
              of them;
            - "confidence": mean absolute error of what is left when the most uncertain
              predictions are removed, beside that of an oracle which knows the errors. A useful
              uncertainty makes it fall.
        unit : str, default=None
            Unit of the target, for the labels.

        Returns
        -------
        self
            The display, with the artists as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `kind` is none of the three.
        """
        check_kind(kind, _KINDS)
        self.ax_ = one_axes(ax, f"{type(self).__name__}.plot")
        self.figure_ = self.ax_.figure
        getattr(self, f"_plot_{kind}")(self.ax_, unit)
        self.ax_.legend(frameon=False)
        return self

    def _plot_coverage(self, ax: Any, unit: str | None) -> None:
        predictions = self.y_true, self.y_pred, self.y_std
        expected, observed = coverage_curve(*predictions)
        (self.reference_,) = ax.plot([0, 1], [0, 1], color=GREY, ls="--", label="calibrated")
        area = miscalibration_area(*predictions)
        (self.line_,) = ax.plot(
            expected, observed, color=COLORS[0], label=f"predicted (area {area:.3f})"
        )
        ax.fill_between(expected, expected, observed, color=COLORS[0], alpha=0.15, lw=0)
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        ax.set(xlabel="probability of the interval", ylabel="share of labels inside")

    def _plot_error(self, ax: Any, unit: str | None) -> None:
        end = 1.05 * float(self.y_std.max()) or 1.0
        self.bands_ = [
            ax.fill_between(
                [0, end],
                [0, -k * end],
                [0, k * end],
                color=COLORS[5],
                alpha=alpha,
                lw=0,
                label=label,
            )
            for k, alpha, label in _FAN
        ]
        self.scatter_ = ax.scatter(
            self.y_std, self.y_pred - self.y_true, s=9, color=COLORS[0], alpha=0.6, lw=0
        )
        ax.axhline(0, color=GREY, lw=0.8)
        ax.set_xlim(0, end)
        ax.set_xlabel(with_unit("predicted standard deviation", unit))
        ax.set_ylabel(with_unit("error of the prediction", unit))

    def _plot_confidence(self, ax: Any, unit: str | None) -> None:
        removed, error = confidence_curve(self.y_true, self.y_pred, self.y_std)
        _, best = confidence_curve(self.y_true, self.y_pred, np.abs(self.y_true - self.y_pred))
        (self.line_,) = ax.plot(removed, error, color=COLORS[0], label="by predicted uncertainty")
        (self.reference_,) = ax.plot(removed, best, color=GREY, ls="--", label="by error (oracle)")
        ax.set_xlim(0, 1)
        ax.set_ylim(bottom=0)
        ax.set_xlabel("share of predictions removed")
        ax.set_ylabel(with_unit("MAE of the others", unit))


def _one_target(values: Any, name: str, target: int | None) -> np.ndarray:
    """Return 1-D floats: the values, or those of one target."""
    array = check_array(
        values,
        ensure_2d=False,
        dtype=np.float64,
        ensure_all_finite="allow-nan" if name == "y_true" else True,
        input_name=name,
    )
    if array.ndim == 1:
        return array
    if target is None and array.shape[1] > 1:
        raise ValueError(f"{name} has {array.shape[1]} targets: choose one with target=")
    return array[:, target or 0]
