"""The documents say what is true: their Python runs, their links lead somewhere."""

import importlib
import inspect
import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import crabsk
from crabsk.composition import FormulaError, parse_formulas
from crabsk.embeddings import embedding_names, load_embedding

ROOT = Path(__file__).parents[1]
API_PAGES = sorted((ROOT / "docs" / "api").glob("*.md"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *API_PAGES]


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


# The documents show real settings. Here a network trains for an epoch, a forest is a tree, and of
# the bundled data there is a quarter.
HURRY = """
import functools
import warnings
import crabsk.automl as automl
import crabsk.neural_network as networks
from sklearn.ensemble import (
    ExtraTreesRegressor, HistGradientBoostingRegressor, RandomForestRegressor
)
from sklearn.gaussian_process import GaussianProcessRegressor

# Of the few rows that are left, a fold may lack an element that the page's own rows have.
warnings.filterwarnings("ignore", category=networks.UnseenElementsWarning)
# Nor does it tell where a network of one epoch errs.
warnings.filterwarnings("ignore", message="outside of the domain errors are")

def hurry(cls, **settings):
    original = cls.__init__
    @functools.wraps(original)
    def hurried(self, *args, **kwargs):
        original(self, *args, **kwargs)
        if len(kwargs) < 20:  # one that is read from a file has all parameters, and is fitted
            vars(self).update(settings)
    cls.__init__ = hurried

family = ("CrabNet", "Roost", "ElemNet")
for name in [network + kind for network in family for kind in ("Regressor", "Classifier")]:
    hurry(getattr(networks, name), max_epochs=1, n_estimators=1)
hurry(RandomForestRegressor, n_estimators=1)
hurry(ExtraTreesRegressor, n_estimators=2)
hurry(HistGradientBoostingRegressor, max_iter=2)
hurry(GaussianProcessRegressor, optimizer=None)
hurry(automl.AutoRegressor, cv=2)
hurry(automl.AutoClassifier, cv=2)
"""
FEWER_ROWS = """
import crabsk.datasets
load_all = crabsk.datasets.load_formation_enthalpy

def load_some(**kwargs):
    loaded = load_all(**kwargs)
    return tuple(part[::4] for part in loaded) if isinstance(loaded, tuple) else loaded

crabsk.datasets.load_formation_enthalpy = load_some
"""


# Warnings are errors, but for one in Dask 2026.8 under pandas 3.1.
WARNINGS = ["-W", "error", "-W", "ignore:The inplace keyword in DataFrame.set_index"]

# Each block in a namespace of its own: it must not lean on those before it.
EACH = """
import json, sys
for number, block in enumerate(json.load(sys.stdin)):
    exec(compile(block, f"block {number}", "exec"), {"__name__": "__main__"})
"""


# Modules that blocks may import and that need not be there. FLAML is of no use without XGBoost.
CLIENTS = {name: name for name in ("imblearn", "mlflow", "optuna", "skops", "skrub")}
CLIENTS |= {"autogluon": "autogluon", "flaml": "xgboost", "sklearn.callback": "sklearn.callback"}


def lacks_a_client(block: str) -> bool:
    return any(
        re.search(rf"^(from|import) {re.escape(name)}\b", block, re.M) and not find_spec(needed)
        for name, needed in CLIENTS.items()
    )


@pytest.mark.parametrize(
    "page",
    [
        # Other tests have the like of what scaling.md does.
        pytest.param(page, id=page.name, marks=[pytest.mark.slow] * (page.name == "scaling.md"))
        for page in PAGES
        if python_blocks(page)
    ],
)
def test_python_blocks_run(page, tmp_path):
    blocks = [block for block in python_blocks(page) if not lacks_a_client(block)]
    # Clients warn of each other and of their dependencies.
    warnings = ["-W", "ignore"] if page.name == "clients.md" else WARNINGS
    done = subprocess.run(
        [sys.executable, *warnings, "-c", f"{HURRY}\n{FEWER_ROWS}\n{EACH}"],
        input=json.dumps(blocks),
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


def api_entries() -> dict[str, str]:
    """Return what the API reference says of each name itself: nothing, or a description.

    Tables lead to the docstring. That of ``crabsk`` leads to the subpackages where its names live.
    """
    entries = {}
    for page in API_PAGES:
        module = ""
        lines = page.read_text(encoding="utf-8").splitlines()
        for k, line in enumerate(lines):
            if found := re.fullmatch(r"\.\. currentmodule:: (\S+)", line):
                module = found[1]
            elif found := re.fullmatch(r"   (?:\w+\.)?(\w+)", line):  # in a table
                entries[f"{module}.{found[1]}"] = ""
            elif found := re.fullmatch(r"\.\. py:data:: (\w+)", line):
                entries[f"{module}.{found[1]}"] = lines[k + 2].strip()
    return entries


SUBPACKAGES = [name for name in dir(crabsk) if inspect.ismodule(getattr(crabsk, name))]
PUBLIC = [
    f"{module.__name__}.{name}"
    for module in [crabsk, *(importlib.import_module(f"crabsk.{name}") for name in SUBPACKAGES)]
    for name in module.__all__
]


def test_the_api_reference_is_complete():
    assert sorted(api_entries()) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_an_example(name):
    module, _, attribute = name.rpartition(".")
    thing = getattr(importlib.import_module(module), attribute)
    if inspect.isclass(thing) or inspect.isroutine(thing):
        assert ">>>" in (thing.__doc__ or ""), "no example in the docstring"
    else:
        assert api_entries()[name], "constants and scorers are described on the page"


def test_the_table_of_embeddings_is_true():
    page = (ROOT / "docs" / "embeddings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \|", page, re.M)
    assert [name for name, *_ in rows] == embedding_names()
    for name, length, n_elements in rows:
        values = load_embedding(name).values
        whole = ~np.isnan(values).any(axis=1)
        assert (int(length), int(n_elements)) == (values.shape[1], whole.sum()), name


def examples_of_formulas() -> list[tuple[str, bool]]:
    """Return the formulas in the first columns of docs/formulas.md, and whether they are read."""
    page = (ROOT / "docs" / "formulas.md").read_text(encoding="utf-8")
    read, refused = page.partition("## Errors")[0].split("## What is refused")
    return [
        (formula, part is read)
        for part in (read, refused)
        for row in re.findall(r"^\| (`.*?) \|", part, re.M)
        for formula in re.findall("`([^`]+)`", row)
    ]


@pytest.mark.parametrize(("formula", "is_read"), examples_of_formulas())
def test_the_rules_of_formulas_are_true(formula, is_read):
    if is_read:
        parse_formulas([formula])
    else:
        with pytest.raises(FormulaError):
            parse_formulas([formula])
