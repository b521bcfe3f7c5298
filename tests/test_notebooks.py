"""The notebooks run, and their pictures in the documents are their own."""

import base64
import io
import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient
from PIL import Image

from crabsk.datasets import _matbench
from crabsk.datasets._matbench_tasks import TASKS

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
DATA = ROOT.parent / "shared" / "data"
CONDUCTORS = DATA / "tables" / "liion_log10_conductivity.csv.gz"

# Runs by default. README and the documents have the like of what the others do.
QUICK = ("04_recall_and_rank",)
EVERY_EPOCH = ("05_interpretation",)  # draws each of its twenty epochs
TWO_EPOCHS = """
from crabsk.neural_network._plan import MemberPlanning

MemberPlanning._n_epochs = lambda *_: 2
"""


def store_matbench(name: str, data_home: Path) -> None:
    """Put a task where `fetch_matbench` looks for what it has downloaded."""
    table = pd.read_csv(DATA / "matbench" / f"{name}.csv.gz", keep_default_na=False)
    folder = data_home / "crabsk" / "matbench"
    folder.mkdir(parents=True, exist_ok=True)
    path = _matbench._table_path(folder, name, TASKS[name])
    _matbench._write_table(path, table["formula"].tolist(), table["target"].to_numpy(float))


def store_conductors(folder: Path) -> None:
    """Write the rows of LiIonDatabase.csv that are at hand, as that file has them."""
    table = pd.read_csv(CONDUCTORS, keep_default_na=False)
    table["target"] = 10 ** table["target"].astype(float)
    names = {"formula": "composition", "temperature_C": "temperature"}
    table.rename(columns=names).to_csv(folder / "LiIonDatabase.csv", index=False)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.stem not in QUICK))
        for path in NOTEBOOKS
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_notebooks_run(path, tmp_path, monkeypatch):
    notebook = nbformat.read(path, as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    shutil.copytree(ROOT / "notebooks" / "tables", tmp_path / "tables")
    if "fetch_matbench(" in code or "LiIonDatabase.csv" in code:
        if not CONDUCTORS.exists():
            pytest.skip("the data sets are not at hand")
        # Beside the notebook, its folder "crabsk" could be imported in place of the package.
        data_home = tmp_path / "data"
        for name in TASKS:
            if f'fetch_matbench("{name}"' in code:
                store_matbench(name, data_home)
        store_conductors(tmp_path / "tables")
        monkeypatch.setenv("SCIKIT_LEARN_DATA", str(data_home))
    if path.stem not in EVERY_EPOCH:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(TWO_EPOCHS))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    # The other core runs other tests: two threads would wait for each other there.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    NotebookClient(notebook, timeout=240, kernel_name="python3").execute(cwd=str(tmp_path))
    assert sum(cell.cell_type == "code" for cell in notebook.cells) >= 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_were_run_in_order_without_an_error(path):
    cells = nbformat.read(path, as_version=4).cells
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert not [text for text in texts if re.search(r"\b(NARRATIVE|TODO|FIXME|XXX)", text)]
    cells = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]


def pictures_of(path: Path) -> list[Image.Image]:
    return [
        Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).convert("RGB")
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]


# Pictures whose caption names the notebook that they are from.
SHOWN = [
    found
    for page in sorted((ROOT / "docs").glob("*.md"))
    for found in re.findall(
        r"\]\(images/(\w+\.png)\)\n\n\*[^*]*\]\(\.\./notebooks/(\w+\.ipynb)\)\)\.\*",
        page.read_text(encoding="utf-8"),
    )
]


def test_some_pages_show_pictures_of_notebooks():
    assert len(SHOWN) >= 5


@pytest.mark.parametrize(("picture", "notebook"), SHOWN)
def test_pages_show_pictures_as_notebooks_hold_them(picture, notebook):
    """`docs/make_pictures.py --only notebooks` renews them."""
    shown = Image.open(ROOT / "docs" / "images" / picture)
    stored = pictures_of(ROOT / "notebooks" / notebook)
    assert shown.tobytes() in [stored_one.tobytes() for stored_one in stored]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_thumbnails_are_pictures_of_the_notebook(path):
    """Each is one of the stored pictures, reduced."""
    thumbnail = Image.open(ROOT / "docs" / "images" / "notebooks" / f"{path.stem}.png")
    reduced = pictures_of(path)
    for picture in reduced:
        picture.thumbnail([max(thumbnail.size)] * 2, Image.Resampling.LANCZOS)
    shown = np.asarray(thumbnail, dtype=float)
    distances = [
        np.abs(np.asarray(picture, dtype=float) - shown).mean()
        for picture in reduced
        if picture.size == thumbnail.size
    ]
    assert min(distances) < 0.1
