"""Attention and contributions while a network is trained."""

from itertools import cycle, pairwise, product
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from .._validation import CompositionTable
from ..composition import ELEMENTS, parse_formulas, reduced_formula
from ..modules import CrabNet, PackedBatch, PackedCompositions
from ._attention import FormulaAttention, attention_of
from ._contributions import contributions_of
from ._plot import COLORS, AttentionDisplay, check_matplotlib_support, title_of

# Inches: width of the curves beside the heat maps, least height.
_CURVES, _LOWEST = 3.0, 2.4


class AttentionRecorder(Callback):
    """Records a CrabNet's attention and contributions for some formulas after each epoch.

    Pass it in ``callbacks=`` to a CrabNet estimator. The estimator gives a copy to each member and
    keeps the copies in `callbacks_`. The records are made with the averaged weights, which are also
    used for predictions. The training is bit for bit the same as without a recorder.

    Parameters
    ----------
    formulas : sequence of str or mapping
        The formulas to record. If the estimator is fitted with extra features, these are held at
        their mean over the training samples.

    Attributes
    ----------
    symbols_ : list of tuple of str
        The elements of each formula, in order of atomic number.
    attention_ : list of ndarray of shape (n_epochs, n_layers, n_heads, n_elements, n_elements)
        The attention weights for each formula, as in `attention_weights`.
    contributions_ : list of ndarray of shape (n_epochs, n_elements, n_outputs)
        The contributions of the elements of each formula, in units of the standardised target (for
        a classifier, logits). Their mean over the elements is the member's prediction.

    See Also
    --------
    attention_weights : The weights of a fitted estimator.

    Notes
    -----
    The recorder does not refuse formulas with an element that the embedding lacks. If the estimator
    has ``missing="error"``, such an element is read as with ``missing="mean"``.

    Examples
    --------
    >>> from crabsk import CrabNetRegressor
    >>> from crabsk.inspection import AttentionRecorder
    >>> model = CrabNetRegressor(
    ...     callbacks=[AttentionRecorder(["Al2O3"])], max_epochs=3, n_estimators=1, random_state=0
    ... )
    >>> _ = model.fit(["NaCl", "KCl", "MgO"], [-2.1, -2.3, -3.1])
    >>> recorder = model.callbacks_[0][0]
    >>> recorder.attention_[0].shape
    (3, 3, 4, 2, 2)

    The frames can be saved with ``recorder.animate().save("attention.gif", writer="pillow")``.
    """

    def __init__(self, formulas: Any) -> None:
        self.formulas = formulas

    def read_formulas(self, estimator: Any) -> None:
        """Read the formulas as an estimator does. `fit` calls this once its scales are known."""
        compositions = parse_formulas(self.formulas)
        bounds = compositions.offsets.tolist()
        self.symbols_ = [
            tuple(ELEMENTS[z - 1] for z in compositions.atomic_numbers[start:end].tolist())
            for start, end in pairwise(bounds)
        ]
        means = estimator._extra_mean
        own = means[len(means) - len(estimator._extra_edges) :]
        at_mean = np.tile(own, (len(compositions), 1))
        table = estimator._with_features(CompositionTable(compositions, at_mean))
        self._packed: PackedCompositions = estimator._pack(table)

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start recording."""
        network = net.module_
        if not isinstance(network, CrabNet):
            raise TypeError(
                f"AttentionRecorder is for CrabNet estimators: {type(network).__name__} has no "
                "attention among the elements of a formula"
            )
        if not len(network.encoder):
            raise ValueError("the network has no encoder layer (n_layers=0), hence no attention")
        packed = self._packed
        self._batches: list[PackedBatch] = [
            batch.to(net.device)
            for row in range(len(packed))
            for _, batch in packed.batches(torch.tensor([row]), 1)
        ]
        self._attention: list[list[np.ndarray]] = [[] for _ in self._batches]
        self._contributions: list[list[np.ndarray]] = [[] for _ in self._batches]

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record attention and contributions for each formula."""
        network = net.module_
        training = network.training
        network.eval()
        with torch.no_grad():
            for k, batch in enumerate(self._batches):
                self._attention[k].append(attention_of(network, batch)[0].cpu().numpy())
                contributions = contributions_of([network], batch)[0, 0, 0]
                self._contributions[k].append(contributions.cpu().numpy())
        network.train(training)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Drop everything that only recording needs."""
        self._batches = []

    @property
    def attention_(self) -> list[np.ndarray]:
        """Attention weights of each formula."""
        return self._recorded("_attention")

    @property
    def contributions_(self) -> list[np.ndarray]:
        """Contributions of each formula's elements."""
        return self._recorded("_contributions")

    def _recorded(self, what: str) -> list[np.ndarray]:
        if not hasattr(self, what):
            raise AttributeError(
                "this recorder was not used in training: estimators train with copies of their "
                "callbacks, which a fitted estimator has in callbacks_[member]"
            )
        formulas: list[list[np.ndarray]] = getattr(self, what)
        if not all(formulas):
            raise ValueError("nothing was recorded: resumed from the checkpoint of a finished fit")
        return [np.stack(epochs) for epochs in formulas]

    def animate(
        self,
        formula: int = 0,
        *,
        layer: int | None = 0,
        target: int = 0,
        interval: int = 120,
        cmap: str = "viridis",
    ) -> Any:
        """Animate the records of one formula, epoch by epoch.

        Parameters
        ----------
        formula : int, default=0
            Which of the formulas.
        layer : int or None, default=0
            Which encoder layer; None for all.
        target : int, default=0
            Which of several targets or classes the contributions refer to.
        interval : int, default=120
            Milliseconds from one epoch to the next.
        cmap : str, default="viridis"
            Name of a colour map.

        Returns
        -------
        matplotlib.animation.FuncAnimation
            One frame for each epoch: heat maps of the attention, and the contributions so far. Keep
            a reference to the animation until it is shown or saved.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib_support("AttentionRecorder.animate")
        import matplotlib.pyplot as plt
        from matplotlib.animation import FuncAnimation

        frames = self._frames(formula)
        display = frames[0]
        width, height = display._size(*display._shown(layer).shape[:3])
        figure = plt.figure(figsize=(width + _CURVES, max(height, _LOWEST)), layout="constrained")
        parts: Any = figure.subfigures(1, 2, width_ratios=(width, _CURVES))
        left, right = parts
        display.plot(left.subplots(), layer=layer, cmap=cmap)
        ax = right.subplots()
        epochs = np.arange(1, len(frames) + 1)
        order = [self.symbols_[formula].index(symbol) for symbol in display.symbols]
        curves = self.contributions_[formula][:, order, target].T
        lines = [
            ax.plot(
                *(epochs, curve),
                color=color,
                ls=style,
                marker="o",
                ms=4,
                markevery=[-1],
                label=symbol,
            )[0]
            for curve, symbol, (style, color) in zip(
                curves, display.symbols, cycle(product(("-", "--", ":"), COLORS)), strict=False
            )
        ]
        ax.set(xlabel="epoch", ylabel="contribution (std of y)")
        # Beside: the curves may be anywhere.
        ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        # Laid out once: what moved from frame to frame would flicker.
        name = title_of(display.formula, figure.get_figwidth())
        title = figure.suptitle(f"{name}, epoch {len(frames)}")
        figure.draw_without_rendering()
        figure.set_layout_engine("none")

        def draw(epoch: int) -> list[Any]:
            display._show(frames[epoch]._shown(layer))
            for line, curve in zip(lines, curves, strict=True):
                line.set_data(epochs[: epoch + 1], curve[: epoch + 1])
            title.set_text(f"{name}, epoch {epoch + 1}")
            return [title]

        return FuncAnimation(figure, draw, frames=len(frames), interval=interval)

    def _frames(self, formula: int) -> list[AttentionDisplay]:
        """Return a display of a formula for each epoch, not drawn."""
        n_formulas = len(self.attention_)
        if formula not in range(-n_formulas, n_formulas):
            raise ValueError(f"formula={formula!r}, but {n_formulas} are recorded, from 0 on")
        item = list(self.formulas)[formula]
        text = item if isinstance(item, str) else reduced_formula([item])[0]
        return [
            AttentionDisplay.from_attention(
                FormulaAttention(formula, text, self.symbols_[formula], weights)
            )
            for weights in self._attention[formula]
        ]
