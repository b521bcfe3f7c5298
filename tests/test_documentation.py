"""The documents say what is true: their Python runs, their links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


BLOCKS = [
    pytest.param(page, block, id=f"{page.name}-{k}")
    for page in PAGES
    for k, block in enumerate(python_blocks(page))
]

# The documents show real settings; here every network trains for an epoch and forests are small.
HURRY = """
import crabsk.neural_network as room
from sklearn.ensemble import RandomForestRegressor as forest

def hurried(init):
    def __init__(self, *args, **kwargs):
        init(self, *args, **kwargs)
        self.max_epochs = 1
        self.n_estimators = 1
    return __init__

import functools, inspect
family = ("CrabNet", "Roost", "ElemNet")
for name in [network + kind for network in family for kind in ("Regressor", "Classifier")]:
    cls = getattr(room, name)
    original = cls.__init__
    cls.__init__ = functools.wraps(original)(hurried(original))
forest.__init__.__kwdefaults__.update(max_depth=2)
"""


@pytest.mark.parametrize(("page", "block"), BLOCKS)
def test_python_blocks_run(page, block, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{HURRY}\n{block}"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files(page):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    for target in targets:
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_notebooks_run(path):
    notebook = nbformat.read(path, as_version=4)
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(path.parent))
    assert sum(cell.cell_type == "code" for cell in notebook.cells) >= 5
