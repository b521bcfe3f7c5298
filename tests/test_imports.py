"""What an import loads, and which room may import which."""

import subprocess
import sys

import pytest

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
def test_floors(statement, blocked):
    """Each room stands without those above it, and without what it has no business with."""
    modules_after(statement, blocked)


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
