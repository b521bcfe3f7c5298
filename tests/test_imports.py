"""What an import loads, and which module may import which."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "crabsk"

# From below: each may import what stands before it, at any time. docs/design.md shows the same.
LAYERS = [
    {"_version", "_text", "_files", "_intervals"},
    {"composition", "modules", "metrics", "datasets"},
    {"_model_file", "embeddings"},
    {"_validation", "_descriptors", "_element_uncertainty"},
    {"pretrained"},
    {"neural_network"},
    {"feature_extraction", "inspection", "calibration"},
    {"automl", "discovery"},
    {"persistence"},
]

PLOTTING = {"umap", "openTSNE", "numba", "matplotlib"}
HEAVY = {"torch", "sklearn", "skorch"}


BLOCK = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name in {blocked!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocker())
"""


def modules_after(statement: str, blocked: str = "") -> set[str]:
    """Return the top-level modules loaded by `statement` in a new process."""
    program = (
        f"{BLOCK.format(blocked=blocked.split())}\n{statement}\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_blocking_blocks():
    with pytest.raises(AssertionError, match="ModuleNotFoundError: torch"):
        modules_after("import crabsk.modules", blocked="torch")


def test_import_of_the_package_is_light():
    assert not modules_after("import crabsk") & (PLOTTING | HEAVY)


def test_estimators_load_no_plotting_stack():
    loaded = modules_after("from crabsk import CrabNetRegressor, CompositionTransformer")
    assert "torch" in loaded
    assert not loaded & PLOTTING


@pytest.mark.parametrize(
    ("statement", "blocked"),
    [
        ("import crabsk.composition", "torch sklearn skorch pandas"),
        ("import crabsk.embeddings", "torch sklearn skorch matplotlib umap openTSNE numba"),
        ("import crabsk.modules", "sklearn skorch pandas"),
        ("import crabsk.feature_extraction", "torch skorch matplotlib"),
        ("import crabsk.neural_network", "matplotlib umap openTSNE numba crabsk.inspection"),
        ("import crabsk.inspection", "matplotlib umap openTSNE numba crabsk.datasets"),
        (
            "import crabsk.datasets",
            "torch crabsk.composition crabsk.modules crabsk.neural_network crabsk.embeddings",
        ),
        (
            "import crabsk.metrics",
            "torch skorch matplotlib crabsk.composition crabsk.modules crabsk.neural_network "
            "crabsk.embeddings crabsk.datasets",
        ),
    ],
)
def test_layers_are_loaded_alone(statement, blocked):
    """Each subpackage works without those above it, and without what it has no business with."""
    modules_after(statement, blocked)


def imports() -> dict[str, set[str]]:
    """Return what each module of the package imports of the package.

    Also what it imports when a function is called, or for annotations alone.
    """
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("crabsk", *path.relative_to(PACKAGE).with_suffix("").parts)
        package = parts[:-1]
        name = ".".join(package if parts[-1] == "__init__" else parts)
        found[name] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found[name] |= {a.name for a in node.names if a.name.startswith("crabsk")}
            elif isinstance(node, ast.ImportFrom) and node.level:
                base = package[: len(package) - node.level + 1]
                target = ".".join([*base, *(node.module or "").split(".")]).rstrip(".")
                # from . import x: x may be a module.
                inside = {f"{target}.{alias.name}" for alias in node.names}
                modules = {i for i in inside if is_module(i)}
                found[name] |= modules or {target}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("crabsk"):
                found[name].add(node.module)
    return found


def is_module(name: str) -> bool:
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def test_imports_lead_downwards():
    layer = {name: k for k, names in enumerate(LAYERS) for name in names}
    upward = []
    for module, targets in imports().items():
        if module == "crabsk":
            continue  # it names everything, and imports it when it is asked for
        own = module.split(".")[1]
        for target in targets:
            other = target.split(".")[1]
            if other != own and layer[other] >= layer[own]:
                upward.append(f"{module} imports {target}")
    assert not upward
    assert set(layer) == {path.stem for path in PACKAGE.iterdir() if is_part(path)}


def is_part(path: Path) -> bool:
    return path.stem not in ("__init__", "__pycache__") and (path.is_dir() or path.suffix == ".py")


def test_no_two_modules_import_each_other():
    """Raises CycleError if there is a circle."""
    found = imports()
    del found["crabsk"]
    assert len(list(TopologicalSorter(found).static_order())) >= len(found)


def test_private_modules_are_imported_beside_them_alone():
    """A module with an underscore belongs to the folder that it lies in."""
    outside = []
    for module, targets in imports().items():
        for target in targets:
            folder, _, name = target.rpartition(".")
            if name.startswith("_") and not f"{module}.".startswith(f"{folder}."):
                outside.append(f"{module} imports {target}")
    assert not outside


def test_no_module_is_too_long():
    """A file has one reason to exist. Tables of data may be longer."""
    lengths = {p.name: len(p.read_text().splitlines()) for p in PACKAGE.rglob("*.py")}
    assert {name: n for name, n in lengths.items() if n > 450} == {}


def test_importing_touches_no_random_state():
    # rich, which scikit-learn imports if it is there, draws random numbers.
    modules_after(
        "import random, numpy as np, torch, sklearn.preprocessing\n"
        "def states():\n"
        "    numpy_state = np.random.get_state()[1].tolist()\n"
        "    return random.getstate(), numpy_state, torch.get_rng_state().tolist()\n"
        "before = states()\n"
        "import crabsk.neural_network, crabsk.feature_extraction, crabsk.datasets\n"
        "import crabsk.inspection\n"
        "assert before == states()"
    )


def test_unknown_name():
    import crabsk

    with pytest.raises(AttributeError, match="no attribute 'CrabNett'"):
        _ = crabsk.CrabNett
    assert set(crabsk.__all__) <= set(dir(crabsk))
