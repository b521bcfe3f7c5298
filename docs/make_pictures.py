"""Draw the pictures of the documents: `python docs/make_pictures.py`.

Writes docs/images/*.png and a GIF; takes some minutes on two cores. Most show one small ensemble.
That of the closed loop shows what `benchmarks/closed_loop.py` has measured, if it has; alone, it
takes seconds: `--only closed_loop`. `--only notebooks` takes those of the notebooks.
"""

import argparse
import base64
import io
from pathlib import Path

import matplotlib as mpl
import nbformat
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.model_selection import train_test_split

from crabsk import AutoRegressor, CompositionTransformer, CrabNetRegressor
from crabsk.composition import ELEMENTS, chemical_system
from crabsk.datasets import load_formation_enthalpy
from crabsk.inspection import (
    AttentionDisplay,
    AttentionRecorder,
    CompositionResponseDisplay,
    ElementContributionDisplay,
    EmbeddingDisplay,
    TrainingHistoryDisplay,
    UncertaintyDisplay,
    binary_compositions,
)

mpl.use("Agg")
import matplotlib.pyplot as plt

IMAGES = Path(__file__).parent / "images"
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
# Which of its pictures stands for a notebook, if not the first.
THUMBNAILS = {"02_uncertainty": 2, "03_transfer_and_multitask": 1, "05_interpretation": 3}
THUMBNAIL_WIDTH = 400
# Pages that show a picture of a notebook, and which of its pictures.
SHOWN = {
    "classification": ("10_metal_or_not", 0),
    "discovery": ("12_screening_conductors", 1),
    "prepare_a_table": ("09_glasses", 1),
    "several_targets": ("08_ionic_conductors", 0),
    "transfer": ("03_transfer_and_multitask", 1),
}
CLOSED_LOOP = Path(__file__).parents[1] / "benchmarks" / "results" / "closed_loop.csv"
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
    plt.savefig(path, dpi=200)
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

    _, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    for element in ("Ti", "Si", "Fe"):
        CompositionResponseDisplay.from_estimator(
            model, "NiAl", element, replacing="Al", unit=UNIT, ax=ax
        )
    save("composition_response")

    _, axes = plt.subplots(2, 2, figsize=(9, 8), layout="constrained")
    uncertainty = UncertaintyDisplay.from_estimator(model, X, y, unit=UNIT, ax=axes[0, 0])
    for ax, kind in zip(axes.flat[1:], ("error", "confidence", "parity"), strict=True):
        uncertainty.plot(ax, kind=kind, unit=UNIT)
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


def draw_closed_loop() -> None:
    """Draw the share of the best compounds found against labels: a panel a table, a line a way."""
    if not CLOSED_LOOP.exists():
        print(f"{CLOSED_LOOP} is not there: run benchmarks/closed_loop.py first")
        return
    runs = pd.read_csv(CLOSED_LOOP)
    shares = [column for column in runs if column.startswith("share_")]
    results = runs.melt(["data_set", "way", "seed"], shares, "labels", "share")
    results["labels"] = results["labels"].str.removeprefix("share_").astype(int)
    names = results["data_set"].unique()
    n_rows = -(-len(names) // 3)
    figure, axes = plt.subplots(
        n_rows, 3, figsize=(11, 0.8 + 2.7 * n_rows), layout="constrained", squeeze=False
    )
    ways = [way for way in results["way"].unique() if way != "random"]
    styles = {way: (f"C{k}", "-") for k, way in enumerate(ways)} | {"random": ("0.4", ":")}
    for name, axis in zip(names, axes.flat, strict=False):
        its = results[results["data_set"] == name]
        for way, (colour, line) in styles.items():
            runs = 100 * its[its["way"] == way].pivot_table(
                index="labels", columns="seed", values="share"
            )
            if not len(runs):
                continue
            mean, error = runs.mean(axis=1), runs.sem(axis=1).fillna(0)
            axis.plot(mean, line, color=colour, label=way)
            axis.fill_between(
                mean.index, mean - error, mean + error, color=colour, alpha=0.15, linewidth=0
            )
        axis.set(title=name.rpartition("/")[2], ylim=0, xlim=(its["labels"].min(), None))
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    for axis in axes[:, 0]:
        axis.set_ylabel("found of the best 5 % (%)")
    for axis in axes.flat[max(0, len(names) - 3) : len(names)]:
        axis.set_xlabel("labels")
    handles = {
        label: handle
        for axis in axes.flat
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), ncols=3, loc="outside lower center")
    save("closed_loop")


def stored_picture(notebook: str, number: int) -> Image.Image:
    """Return one of the pictures that a notebook holds."""
    pictures = [
        output.data["image/png"]
        for cell in nbformat.read(NOTEBOOKS / f"{notebook}.ipynb", as_version=4).cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    return Image.open(io.BytesIO(base64.b64decode(pictures[number]))).convert("RGB")


def take_from_notebooks() -> None:
    """Reduce one picture of each notebook, and copy those that pages show."""
    (IMAGES / "notebooks").mkdir(exist_ok=True)
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        picture = stored_picture(path.stem, THUMBNAILS.get(path.stem, 0))
        picture.thumbnail((THUMBNAIL_WIDTH, THUMBNAIL_WIDTH), Image.Resampling.LANCZOS)
        picture.save(IMAGES / "notebooks" / f"{path.stem}.png", optimize=True)
    for page, (notebook, number) in SHOWN.items():
        stored_picture(notebook, number).save(IMAGES / f"{page}.png", optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parts = {
        "networks": lambda: draw(*fit()),
        "leaderboard": draw_leaderboard,
        "closed_loop": draw_closed_loop,
        "notebooks": take_from_notebooks,
    }
    parser.add_argument("--only", choices=parts, help="draw this part alone")
    only = parser.parse_args().only
    IMAGES.mkdir(exist_ok=True)
    for name, draw_part in parts.items():
        if only in (None, name):
            draw_part()
