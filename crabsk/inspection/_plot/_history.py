"""Training and validation losses, epoch by epoch."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...neural_network import BaseCompositionNetwork
from ._common import COLORS, GREY, check_matplotlib_support, panels

# What the training loss is called where the validation loss is the same quantity.
_ALIKE = "training"


class TrainingHistoryDisplay:
    """Losses of each member of an ensemble, epoch by epoch.

    Made by `from_estimator`; all parameters are stored as attributes.

    Parameters
    ----------
    train_loss : list of ndarray of shape (n_epochs,)
        Training loss of each member.
    valid_loss : list of ndarray of shape (n_epochs,), default=()
        Validation loss of each member, if there was validation data.
    learning_rate : ndarray of shape (n_epochs,), default=None
        Learning rate at the end of each epoch, if known.
    train_name : str, default="training"
        What the training loss is called in the legend.

    Attributes
    ----------
    ax_ : Axes
        The axes of the training losses.
    valid_ax_ : Axes
        The axes of the validation losses: the same, or a separate panel if the training loss
        contains a likelihood, which the validation loss does not.
    figure_ : Figure
        The figure.
    lines_ : list of Line2D
        Training loss of each member.
    valid_lines_ : list of Line2D
        Validation loss of each member.
    learning_rate_line_ : Line2D or None
        The learning rate.
    learning_rate_ax_ : Axes or None
        Its axes, with a scale on the right.

    Examples
    --------
    >>> from crabsk import CrabNetRegressor
    >>> from crabsk.inspection import TrainingHistoryDisplay
    >>> model = CrabNetRegressor(max_epochs=5, n_estimators=2, random_state=0)
    >>> _ = model.fit(["NaCl", "KCl", "MgO", "SiO2"], [-2.1, -2.3, -3.1, -3.0])
    >>> display = TrainingHistoryDisplay.from_estimator(model)
    >>> len(display.lines_), display.ax_.get_xlabel()
    (2, 'epoch')
    """

    def __init__(
        self,
        *,
        train_loss: Sequence[np.ndarray],
        valid_loss: Sequence[np.ndarray] = (),
        learning_rate: np.ndarray | None = None,
        train_name: str = _ALIKE,
    ) -> None:
        self.train_loss = train_loss
        self.valid_loss = valid_loss
        self.learning_rate = learning_rate
        self.train_name = train_name

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Show how a fitted estimator was trained.

        Parameters
        ----------
        estimator : CrabNet, Roost or ElemNet estimator
            A fitted estimator.
        ax : Axes or array of two Axes, default=None
            Where to draw: one Axes, which is divided if there are two panels, or one for each
            panel. A new figure by default.

        Returns
        -------
        TrainingHistoryDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `estimator` is not one of crabsk's networks.

        Notes
        -----
        The losses are those of the standardised target, or log losses for classes. Validation uses
        the averaged weights. With the losses "absolute_error" and "squared_error", the training
        loss contains an additional likelihood, which trains the uncertainty. The validation loss
        does not contain it and is therefore drawn in a separate panel.

        The learning rate is that of the member with the most epochs. It is not drawn for saved
        models whose history has no learning rates.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        if not isinstance(estimator, BaseCompositionNetwork):
            raise TypeError(
                f"{type(estimator).__name__} has no history: pass a fitted estimator of crabsk"
            )
        check_is_fitted(estimator)
        history = estimator.history_
        rates = _column(history, "learning_rate")
        beside = hasattr(estimator, "loss") and estimator._detaches_uncertainty()
        return cls(
            train_loss=_column(history, "train_loss"),
            valid_loss=_column(history, "valid_loss"),
            learning_rate=max(rates, key=len, default=None),
            train_name="training (error and likelihood)" if beside else _ALIKE,
        ).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the losses.

        Parameters
        ----------
        ax : Axes or array of two Axes, default=None
            Where to draw: one Axes, which is divided if there are two panels, or one for each
            panel. A new figure by default.

        Returns
        -------
        self
            The display, with the artists as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        apart = len(self.valid_loss) > 0 and self.train_name != _ALIKE
        axes = panels(
            ax, 1, 1 + apart, (6.4 + 3.6 * apart, 4.4), f"{type(self).__name__}.plot"
        ).ravel()
        self.ax_, self.valid_ax_ = axes[0], axes[-1]
        self.figure_ = self.ax_.figure
        self.lines_ = _plot_losses(self.ax_, self.train_loss, self.train_name, COLORS[0], "-")
        self.valid_lines_ = _plot_losses(
            self.valid_ax_, self.valid_loss, "validation", COLORS[1], "--"
        )
        for one in axes:
            one.set(xlabel="epoch", ylabel="loss", xlim=(0, max(map(len, self.train_loss))))
        handles = [*self.lines_[:1], *([] if apart else self.valid_lines_[:1])]
        if apart:
            self.valid_ax_.set_ylabel("error (loss without likelihood)")
            self.valid_ax_.legend(
                handles=self.valid_lines_[:1],
                frameon=False,
                loc="lower center",
                bbox_to_anchor=(0.5, 1.0),
            )
        self.learning_rate_ax_ = self.learning_rate_line_ = None
        if self.learning_rate is not None:
            self.learning_rate_ax_ = self.ax_.twinx()
            epochs = np.arange(1, len(self.learning_rate) + 1)
            (self.learning_rate_line_,) = self.learning_rate_ax_.plot(
                epochs, self.learning_rate, color=GREY, ls=":", label="learning rate"
            )
            self.learning_rate_ax_.set_ylim(bottom=0)
            self.learning_rate_ax_.set_ylabel("learning rate", color="0.4")
            self.learning_rate_ax_.tick_params(axis="y", colors="0.4")
            self.learning_rate_ax_.locator_params(axis="y", nbins=5)
            handles.append(self.learning_rate_line_)
        # Above: the curves may be anywhere.
        self.ax_.legend(
            handles=handles, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2
        )
        return self


def _plot_losses(
    ax: Any, losses: Sequence[np.ndarray], name: str, color: str, style: str
) -> list[Any]:
    """Draw a line for each member; those of many are thin."""
    width = 1.5 if len(losses) < 3 else 0.8
    return [
        ax.plot(np.arange(1, len(loss) + 1), loss, color=color, ls=style, lw=width, label=name)[0]
        for loss in losses
    ]


def _column(history: list[list[dict[str, float]]], key: str) -> list[np.ndarray]:
    """Return one figure of each member's epochs, where they have it."""
    return [np.array([epoch[key] for epoch in member]) for member in history if key in member[0]]
