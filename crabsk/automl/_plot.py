"""A picture of how candidates and their ensemble did. matplotlib is imported in functions only."""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import ConfusionMatrixDisplay, mean_absolute_error, r2_score

from ..inspection import COLORS, GREY, UncertaintyDisplay, panels

_SIZE = (13.0, 4.2)


class LeaderboardDisplay:
    """The leaderboard with whiskers, and what the ensemble said of samples that it had not seen.

    Made by `from_estimator` or by `AutoRegressor.plot` and `AutoClassifier.plot`; all parameters
    are stored as attributes.

    Parameters
    ----------
    leaderboard : DataFrame
        `leaderboard_` of the estimator.
    y_true : ndarray of shape (n_samples,)
        Targets.
    out_of_fold : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Predictions, or probabilities of classes, by models that had not seen the sample.
    y_std : ndarray of shape (n_samples,) or None
        Standard deviations; None for classes.
    classes : ndarray or None
        The classes; None for numbers.
    scoring : str
        What was scored.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (3,)
        The leaderboard; predictions against targets, or the confusion matrix; and the calibration
        of standard deviations, or of probabilities.
    figure_ : Figure
        The figure.

    Examples
    --------
    >>> from crabsk import AutoRegressor
    >>> from crabsk.datasets import load_formation_enthalpy
    >>> X, y = load_formation_enthalpy(return_X_y=True)
    >>> auto = AutoRegressor(["mean", "extra_trees"], cv=2, random_state=0)
    >>> display = auto.fit(X[:60], y[:60]).plot()
    >>> [text.get_text() for text in display.axes_[0].get_yticklabels()]
    ['extra_trees (100%)', 'ensemble']
    """

    def __init__(
        self,
        *,
        leaderboard: pd.DataFrame,
        y_true: np.ndarray,
        out_of_fold: np.ndarray,
        y_std: np.ndarray | None,
        classes: np.ndarray | None,
        scoring: str,
    ) -> None:
        self.leaderboard = leaderboard
        self.y_true = y_true
        self.out_of_fold = out_of_fold
        self.y_std = y_std
        self.classes = classes
        self.scoring = scoring

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Draw what a fitted AutoRegressor or AutoClassifier has found.

        Parameters
        ----------
        estimator : AutoRegressor or AutoClassifier
            A fitted one.
        ax : Axes or array of three Axes, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        LeaderboardDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        scoring = estimator.scoring
        return cls(
            leaderboard=estimator.leaderboard_,
            y_true=estimator._y,
            out_of_fold=estimator.out_of_fold_,
            y_std=getattr(estimator, "out_of_fold_std_", None),
            classes=getattr(estimator, "classes_", None),
            scoring=scoring if isinstance(scoring, str) else "score",
        ).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the three panels.

        Parameters
        ----------
        ax : Axes or array of three Axes, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        self
            The display, with the axes as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.axes_ = panels(ax, 1, 3, _SIZE, f"{type(self).__name__}.plot")[0]
        self.figure_ = self.axes_[0].figure
        self._plot_leaderboard(self.axes_[0])
        if self.classes is None:
            self._plot_numbers(*self.axes_[1:])
        else:
            self._plot_classes(*self.axes_[1:])
        return self

    def _plot_leaderboard(self, ax: Any) -> None:
        scored = self.leaderboard[self.leaderboard["mean"].notna()].iloc[::-1]
        # What predicts nothing would leave no room for the differences of the others.
        better = scored[[name not in ("mean", "prior") for name in scored.index]]
        scored = better if len(better) > 1 else scored
        folds = scored[[name for name in scored if str(name).startswith("fold_")]].to_numpy()
        height = np.arange(len(scored))
        ax.plot(folds, height, "o", color=COLORS[0], alpha=0.25, ms=4, mew=0)
        ax.errorbar(
            scored["mean"], height, xerr=scored["std"], fmt="o", color=COLORS[0], capsize=3, ms=5
        )
        names = [
            f"{name} ({weight:.0%})" if weight > 0 and name != "ensemble" else str(name)
            for name, weight in scored["weight"].items()
        ]
        ax.set_yticks(height, names)
        ax.set_xlabel(f"{self.scoring} (right is better)\npale: folds; whiskers: their std")
        ax.set_title("Candidates (weight in the ensemble)")

    def _plot_numbers(self, parity: Any, calibration: Any) -> None:
        error = mean_absolute_error(self.y_true, self.out_of_fold)
        share = r2_score(self.y_true, self.out_of_fold)
        parity.scatter(self.y_true, self.out_of_fold, s=9, color=COLORS[0], alpha=0.5, lw=0)
        middle = float(np.mean(self.y_true))
        parity.axline((middle, middle), slope=1, color=GREY, ls="--", zorder=0)
        parity.set_aspect("equal", adjustable="datalim")
        parity.set(xlabel="target", ylabel="prediction of the ensemble, left out")
        parity.set_title(f"MAE {error:.3g}, R² {share:.3f}")
        UncertaintyDisplay.from_predictions(
            self.y_true, self.out_of_fold, self.y_std, ax=calibration
        )
        calibration.set_title("Coverage of its intervals")

    def _plot_classes(self, confusion: Any, calibration: Any) -> None:
        assert self.classes is not None
        predicted = self.classes[self.out_of_fold.argmax(axis=1)]
        ConfusionMatrixDisplay.from_predictions(
            self.y_true, predicted, ax=confusion, colorbar=False, cmap="Blues"
        )
        confusion.set_title("Ensemble, samples left out")
        for k, name in enumerate(self.classes):
            if len(self.classes) == 2 and k == 0:
                continue  # the other's complement
            CalibrationDisplay.from_predictions(
                self.y_true == name, self.out_of_fold[:, k].clip(0, 1), n_bins=10,
                ax=calibration, name=str(name), strategy="quantile", color=COLORS[k % len(COLORS)],
            )  # fmt: skip
        calibration.set(xlabel="predicted probability", ylabel="share of the class")
        calibration.set_title("Calibration of its probabilities")
