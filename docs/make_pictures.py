"""Draw the pictures of the documents from one small ensemble: `python docs/make_pictures.py`.

Writes docs/images/*.png and a GIF; takes some minutes on two cores.
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image
from sklearn.model_selection import train_test_split

from crabsk import AutoRegressor, CompositionTransformer, CrabNetRegressor
from crabsk.composition import ELEMENTS, chemical_system
from crabsk.datasets import load_formation_enthalpy
from crabsk.inspection import (
    AttentionDisplay,
    AttentionRecorder,
    ElementContributionDisplay,
    EmbeddingDisplay,
    TrainingHistoryDisplay,
    UncertaintyDisplay,
    binary_compositions,
)

mpl.use("Agg")
import matplotlib.pyplot as plt

IMAGES = Path(__file__).parent / "images"
UNIT = "eV/atom"


def fit() -> tuple[CrabNetRegressor, np.ndarray, np.ndarray]:
    """Fit 600 enthalpies; return the model and the samples that it did not see."""
    X, y = load_formation_enthalpy(return_X_y=True)
    train, test, y_train, y_test = train_test_split(X, y, train_size=600, random_state=0)
    model = CrabNetRegressor(
        d_model=64,
        n_estimators=4,
        max_epochs=30,
        learning_rate=2e-3,
        callbacks=[AttentionRecorder(["Al2O3"])],
        random_state=0,
    )
    model.fit(train, y_train, X_val=test[:300], y_val=y_test[:300])
    return model, test, y_test


def save(name: str) -> None:
    """Write the figure in hand."""
    path = IMAGES / f"{name}.png"
    plt.savefig(path, dpi=120)
    plt.close()
    # Nothing is transparent: three channels take less space than four.
    Image.open(path).convert("RGB").save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def draw(model: CrabNetRegressor, X: np.ndarray, y: np.ndarray) -> None:
    """Draw everything."""
    AttentionDisplay.from_estimator(model, "Al2O3")
    save("attention_al2o3")
    AttentionDisplay.from_estimator(model, "YBa2Cu3O7", layer=1)
    save("attention_yba2cu3o7")

    contributions = ElementContributionDisplay.from_estimator(model, X, uncertainty=True, unit=UNIT)
    save("contributions_periodic_table")
    contributions.plot(kind="histogram", element="O", unit=UNIT)
    save("contributions_of_oxygen")
    oxides = ElementContributionDisplay.from_estimator(
        model, binary_compositions("Ti", "O"), kind="binary", unit=UNIT
    )
    formulas, enthalpies = load_formation_enthalpy(return_X_y=True)
    titanium_oxides = chemical_system(formulas) == "O-Ti"
    fractions = CompositionTransformer(stats="fraction").fit_transform(formulas[titanium_oxides])
    oxides.ax_.plot(fractions[:, 7], enthalpies[titanium_oxides], "k*", ms=9, label="measured")
    oxides.ax_.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    save("contributions_ti_o")

    _, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    uncertainty = UncertaintyDisplay.from_estimator(model, X, y, unit=UNIT, ax=axes[0])
    uncertainty.plot(axes[1], kind="error", unit=UNIT)
    uncertainty.plot(axes[2], kind="confidence", unit=UNIT)
    save("uncertainty")

    TrainingHistoryDisplay.from_estimator(model)
    save("training")
    EmbeddingDisplay.from_embedding("mat2vec", elements=ELEMENTS[:94])
    save("elements_pca")
    EmbeddingDisplay.from_embedding("magpie", method="tsne", color_by="group")
    save("elements_tsne")
    EmbeddingDisplay.from_estimator(model, X, y, value_name=f"formation enthalpy ({UNIT})")
    save("compositions_pca")

    path = IMAGES / "attention_al2o3.gif"
    model.callbacks_[0][0].animate().save(path, writer="pillow", dpi=100)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def draw_leaderboard() -> None:
    """Draw what AutoRegressor finds of 400 enthalpies, without the weights that know them."""
    X, y = load_formation_enthalpy(return_X_y=True)
    X, _, y, _ = train_test_split(X, y, train_size=400, random_state=0)
    auto = AutoRegressor(time_limit=None, weights=None, cv=5, random_state=0)
    auto.set_params(candidates=["extra_trees", "boosting", "gaussian_process", "crabnet"])
    auto.fit(X, y).plot()
    save("automl")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    IMAGES.mkdir(exist_ok=True)
    draw(*fit())
    draw_leaderboard()
