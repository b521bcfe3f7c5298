"""Plots that show whether predicted standard deviations are reliable."""

from typing import Any, Self

import numpy as np
from scipy.stats import binom
from sklearn.utils import check_array, check_consistent_length

from ...metrics import confidence_curve, coverage_curve, miscalibration_area
from ._common import COLORS, GREY, check_kind, check_matplotlib_support, one_axes, with_unit

_KINDS = ("coverage", "error", "confidence", "parity")
# Half widths, in standard deviations, of the central intervals of 95 % and 68 %; opacities.
_FAN = ((1.96, 0.2, 95), (0.994, 0.35, 68))
# A mean over fewer predictions than these is noise.
_FEWEST_KEPT = 20
# The share of points that the axes of "error" hold; the others stand at the border.
_SHARE_SHOWN = 0.99
# Marks of what is drawn once in axes that several models share, and of each model's curve.
_REFERENCE, _CURVE = "crabsk reference", "crabsk curve"


class UncertaintyDisplay:
    """Plots that show whether predicted standard deviations match the errors.

    Made by `from_estimator` or `from_predictions`; all parameters are stored as attributes.

    Parameters
    ----------
    y_true : ndarray of shape (n_samples,)
        Labels, all known.
    y_pred : ndarray of shape (n_samples,)
        Predictions.
    y_std : ndarray of shape (n_samples,)
        Their standard deviations.
    name : str, default="predicted"
        Name of the model, for the legend of "coverage" and "confidence".

    Attributes
    ----------
    ax_ : Axes
        The axes.
    figure_ : Figure
        The figure.
    line_ : Line2D
        The curve; only for "coverage" and "confidence".
    reference_ : Line2D
        The ideal curve; only for "coverage", "confidence" and "parity".
    band_ : PolyCollection or None
        Where the curve of a calibrated model lies in 95 of 100 samples; only for "coverage". None
        if the axes already have such a band.
    scatter_ : PathCollection
        The errors; those beyond the axes are at the border. Only for "error".
    bands_ : list of artists
        Where 95 % and 68 % of the errors should lie; only for "error".
    errorbar_ : ErrorbarContainer
        Predictions with one standard deviation; only for "parity".

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

    Several models in one figure:

    >>> display = UncertaintyDisplay.from_predictions(y_true, y_pred, y_std, name="one")
    >>> other = UncertaintyDisplay.from_predictions(
    ...     y_true, y_pred, 2 * y_std, name="other", ax=display.ax_
    ... )
    >>> len(other.ax_.get_legend().get_texts())
    4
    """

    def __init__(
        self,
        *,
        y_true: np.ndarray,
        y_pred: np.ndarray,
        y_std: np.ndarray,
        name: str = "predicted",
    ) -> None:
        self.y_true = y_true
        self.y_pred = y_pred
        self.y_std = y_std
        self.name = name

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
        name: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Show the uncertainties that a fitted regressor predicts.

        Parameters
        ----------
        estimator : regressor
            A fitted regressor whose `predict` takes ``return_std=True``: one of crabsk's, or
            scikit-learn's Gaussian process.
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Samples that the estimator was not fitted to.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their labels, NaN where missing.
        kind : {"coverage", "error", "confidence", "parity"}, default="coverage"
            See `plot`.
        target : int, default=None
            Which of several targets.
        unit : str, default=None
            Unit of the target, for the labels.
        name : str, default=None
            Name of the model, for the legend; the name of its class by default.
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
            As in `from_predictions`.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        y_pred, y_std = estimator.predict(X, return_std=True)
        name = type(estimator).__name__ if name is None else name
        return cls.from_predictions(
            y, y_pred, y_std, kind=kind, target=target, unit=unit, name=name, ax=ax
        )

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
        name: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Show predicted uncertainties.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels, NaN where missing.
        y_pred, y_std : array-like of the same shape
            Predictions and their standard deviations.
        kind : {"coverage", "error", "confidence", "parity"}, default="coverage"
            See `plot`.
        target : int, default=None
            Which of several targets.
        unit : str, default=None
            Unit of the target, for the labels.
        name : str, default=None
            Name of the model, for the legend; "predicted" by default.
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
            `target` does not select one.
        """
        check_matplotlib_support(f"{cls.__name__}.from_predictions")
        columns = [
            _one_target(values, name, target)
            for name, values in (("y_true", y_true), ("y_pred", y_pred), ("y_std", y_std))
        ]
        check_consistent_length(*columns)
        labelled = ~np.isnan(columns[0])
        true, pred, std = (column[labelled] for column in columns)
        display = cls(y_true=true, y_pred=pred, y_std=std, name=name or "predicted")
        return display.plot(ax, kind=kind, unit=unit)

    def plot(self, ax: Any = None, *, kind: str = "coverage", unit: str | None = None) -> Self:
        """Draw one plot.

        Parameters
        ----------
        ax : Axes, default=None
            Where to draw; a new figure by default. Several models can share the axes of "coverage"
            and of "confidence", each with its own curve.
        kind : {"coverage", "error", "confidence", "parity"}, default="coverage"
            - "coverage": the share of labels inside central intervals, against the intervals'
              probability. Below the diagonal, predictions are overconfident. Each point of a
              calibrated model lies in the grey band with a probability of 95 %;
            - "error": errors against standard deviations, with two bands that should hold 68 % and
              95 % of the errors. The legend shows the shares that they do hold. Points beyond the
              axes are drawn at the border;
            - "confidence": mean absolute error of the remaining predictions when the most uncertain
              ones are removed, beside the same curve of an oracle that knows the errors. With
              useful uncertainties the curve falls. It ends where fewer than twenty remain;
            - "parity": predictions with one standard deviation against labels.
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
            If `kind` is none of the four.
        """
        check_kind(kind, _KINDS)
        self.ax_ = one_axes(ax, f"{type(self).__name__}.plot")
        self.figure_ = self.ax_.figure
        getattr(self, f"_plot_{kind}")(self.ax_, unit)
        # Above: points and curves may be anywhere.
        self.ax_.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        return self

    def _plot_coverage(self, ax: Any, unit: str | None) -> None:
        predictions = self.y_true, self.y_pred, self.y_std
        expected, observed = coverage_curve(*predictions)
        self.reference_, self.band_ = _marked(ax, _REFERENCE), None
        if self.reference_ is None:
            (self.reference_,) = ax.plot(
                [0, 1], [0, 1], color=GREY, ls="--", label="calibrated", gid=_REFERENCE
            )
            p = np.linspace(0, 1, 101)
            low, high = binom.interval(0.95, len(self.y_true), p)
            # Of probability 0 and 1 nothing is left to chance.
            low, high = np.nan_to_num(low, nan=0.0), np.nan_to_num(high, nan=0.0)
            low[-1] = high[-1] = len(self.y_true)
            self.band_ = ax.fill_between(
                p,
                low / len(self.y_true),
                high / len(self.y_true),
                color=GREY,
                alpha=0.25,
                lw=0,
                label=f"95 % of samples of {len(self.y_true)}",
            )
        area = miscalibration_area(*predictions)
        (self.line_,) = ax.plot(
            expected,
            observed,
            color=_next_color(ax),
            label=f"{self.name} (area {area:.3f})",
            gid=_CURVE,
        )
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        ax.set(xlabel="probability of the interval", ylabel="share of labels inside")

    def _plot_error(self, ax: Any, unit: str | None) -> None:
        error = self.y_pred - self.y_true
        end = 1.05 * float(np.quantile(self.y_std, _SHARE_SHOWN)) or 1.0
        top = 1.05 * max(float(np.quantile(np.abs(error), _SHARE_SHOWN)), 1.96 * end)
        self.bands_ = []
        for k, alpha, share in _FAN:
            held = np.mean(np.abs(error) <= k * self.y_std)
            self.bands_.append(
                ax.fill_between(
                    [0, end],
                    [0, -k * end],
                    [0, k * end],
                    color=COLORS[5],
                    alpha=alpha,
                    lw=0,
                    label=f"should hold {share} %, holds {100 * held:.0f} %",
                )
            )
        shown = np.column_stack([np.clip(self.y_std, 0, end), np.clip(error, -top, top)])
        beyond = (self.y_std > end) | (np.abs(error) > top)
        label = f"{beyond.sum()} beyond the axes" if beyond.any() else None
        self.scatter_ = ax.scatter(
            *shown.T, s=9, color=COLORS[0], alpha=0.6, lw=0, clip_on=False, label=label
        )
        ax.axhline(0, color=GREY, lw=0.8)
        ax.set(xlim=(0, end), ylim=(-top, top))
        ax.set_xlabel(with_unit("predicted standard deviation", unit))
        ax.set_ylabel(with_unit("error of the prediction", unit))

    def _plot_confidence(self, ax: Any, unit: str | None) -> None:
        removed, error = confidence_curve(self.y_true, self.y_pred, self.y_std)
        _, best = confidence_curve(self.y_true, self.y_pred, np.abs(self.y_true - self.y_pred))
        n = len(self.y_true)
        kept = removed <= max(0.0, 1 - _FEWEST_KEPT / n) + 1e-12
        color = _next_color(ax)
        (self.line_,) = ax.plot(
            removed[kept], error[kept], color=color, label=self.name, gid=_CURVE
        )
        (self.reference_,) = ax.plot(
            removed[kept],
            best[kept],
            color=color,
            ls="--",
            lw=0.8,
            label=f"{self.name}, oracle",
        )
        ax.set_xlim(0, 1)
        ax.set_ylim(bottom=0)
        ax.set_xlabel("share of predictions removed")
        ax.set_ylabel(with_unit("MAE of the remaining", unit))

    def _plot_parity(self, ax: Any, unit: str | None) -> None:
        from matplotlib.ticker import MaxNLocator

        self.errorbar_ = ax.errorbar(
            self.y_true,
            self.y_pred,
            yerr=self.y_std,
            fmt="o",
            ms=3,
            color=COLORS[0],
            alpha=0.6,
            ecolor=COLORS[5],
            elinewidth=0.8,
            mew=0,
            label="prediction, one standard deviation",
        )
        both = np.concatenate([self.y_true, self.y_pred])
        ticks = MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]).tick_values(both.min(), both.max())
        ends = ticks[0], ticks[-1]
        (self.reference_,) = ax.plot(ends, ends, color=GREY, ls="--", zorder=0, label="equal")
        ax.set(xlim=ends, ylim=ends, xticks=ticks, yticks=ticks, aspect="equal")
        ax.set_xlabel(with_unit("measured", unit))
        ax.set_ylabel(with_unit("predicted", unit))


def _marked(ax: Any, mark: str) -> Any:
    """Return the first line of axes that has a mark."""
    return next((line for line in ax.lines if line.get_gid() == mark), None)


def _next_color(ax: Any) -> str:
    """Return a colour that no curve in the axes has."""
    return COLORS[sum(line.get_gid() == _CURVE for line in ax.lines) % len(COLORS)]


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
