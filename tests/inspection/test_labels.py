"""Titles and labels have room in their figures, whatever the compositions."""

import pytest
from tiny import tiny_crabnet

from crabsk.inspection import (
    AttentionDisplay,
    CompositionResponseDisplay,
    ElementContributionDisplay,
    binary_compositions,
)


def cut_labels(figure):
    """Return titles and labels that reach beyond the figure."""
    figure.canvas.draw()
    texts = [figure._suptitle, figure._supxlabel, figure._supylabel]
    for ax in figure.axes:
        texts += [ax.title, ax.xaxis.label, ax.yaxis.label]
    edge = figure.bbox.padded(1)
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text is not None]
    return [
        text
        for text, box in boxes
        if text and not (edge.contains(box.x0, box.y0) and edge.contains(box.x1, box.y1))
    ]


STEEL = "Fe0.634C0.000478Mn0.000523Si0.00102Cr0.000111Ni0.173Mo0.0237Co0.146Al0.00277Ti0.0176"


@pytest.fixture(scope="module")
def steels():
    X = [STEEL, "Fe0.7Ni0.2Co0.1", "Fe0.9C0.01Cr0.09", "Fe0.7Ni0.18Mo0.1Ti0.02", "Fe0.8Co0.2"]
    return tiny_crabnet().fit(X, [2487.0, 1500.0, 1400.0, 1800.0, 1200.0]), X


class TestNothingIsCut:
    """Steels have long formulas and a small part of the periodic table."""

    @pytest.mark.parametrize(
        "draw",
        [
            lambda model, X: AttentionDisplay.from_estimator(model, X[0]),
            lambda model, X: AttentionDisplay.from_estimator(
                model, X[0], layer=0, average_heads=True
            ),
            lambda model, X: ElementContributionDisplay.from_estimator(
                model, X, uncertainty=True, unit="MPa"
            ),
            lambda model, X: CompositionResponseDisplay.from_estimator(
                model, X[0], "Ti", replacing="Fe", unit="MPa"
            ),
            lambda model, X: ElementContributionDisplay.from_estimator(
                model, binary_compositions(X[1], X[3]), kind="binary", unit="MPa"
            ),
        ],
        ids=["attention", "mean attention", "periodic table", "response", "line"],
    )
    @pytest.mark.filterwarnings("ignore::crabsk.neural_network.TraceWarning")
    def test_labels(self, steels, draw):
        assert cut_labels(draw(*steels).figure_) == []

    def test_a_unit_is_not_divided(self, steels):
        unit = r"$\mathrm{kJ\,mol^{-1}}$"
        display = ElementContributionDisplay.from_estimator(*steels, unit=unit)
        assert unit in display.colorbar_[0].ax.get_ylabel()

    @pytest.mark.parametrize(
        ("mean", "label"), [(1421.3, "1421"), (999.6, "1000"), (-12.34, "−12.3")]
    )
    def test_numbers_have_no_exponent(self, steels, mean, label):
        display = ElementContributionDisplay.from_estimator(*steels)
        display.contributions["contribution"] = mean
        display.plot(kind="histogram", element="Fe")
        assert display.mean_line_.get_label() == f"mean {label}"
