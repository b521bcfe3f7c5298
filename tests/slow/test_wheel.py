"""The archives that would be published, and the wheel where nothing else of the project is."""

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DATA = {
    "crabsk/py.typed",
    "crabsk/datasets/data/formation_enthalpy.csv",
    "crabsk/datasets/descr/formation_enthalpy.rst",
    "crabsk/datasets/descr/matbench.rst",
    "crabsk/pretrained/data/pretrained-1.crabsk",
    "crabsk/pretrained/data/pretrained-1.npz",
}
NO_NETWORK = """
import socket
def refuse(*args, **kwargs):
    raise OSError("a test without a network")
socket.socket.connect = refuse
"""
# Six lines of a newcomer, without a network.
SIX_LINES = """
from crabsk import CrabNetRegressor
X = ["NaCl", "KCl", "NaBr", "KBr", "LiF", "MgO"] * 4
y = [801.0, 770.0, 747.0, 734.0, 848.0, 2852.0] * 4
model = CrabNetRegressor.from_preset("pretrained", random_state=0)
model.fit(X, y)
print(*model.predict(["RbCl", "CaO"]))
"""
QUICK = ("tests/composition", "tests/datasets", "tests/modules", "tests/test_persistence.py")


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """Return the folder of a source archive and a wheel."""
    folder = tmp_path_factory.mktemp("dist")
    source = folder / "source"
    kept = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "_build", "generated")
    shutil.copytree(ROOT, source, ignore=kept)
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source], check=True
    )
    return folder


def test_archives_are_complete(dist):
    wheel = set(zipfile.ZipFile(next(dist.glob("*.whl"))).namelist())
    assert wheel >= DATA
    assert wheel >= {path.relative_to(ROOT).as_posix() for path in ROOT.glob("crabsk/**/*.py")}
    assert not any(name.startswith(("tests", "benchmarks")) for name in wheel)
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {*DATA, "README.md", "LICENSE", "setup.cfg", "pyproject.toml"}


def test_wheel_is_small(dist):
    assert next(dist.glob("*.whl")).stat().st_size < 20e6


def test_wheel_in_an_empty_environment(dist, tmp_path):
    """The requirements are those of this environment; crabsk is the wheel's."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    wheel = next(dist.glob("*.whl"))
    subprocess.run([python, "-m", "pip", "install", "--no-deps", "--no-index", wheel], check=True)
    found = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    packages = Path(found.stdout.strip())
    # Path entries of a .pth file are searched last, and their own .pth files (the editable
    # installation of this repository) are not read.
    (packages / "requirements.pth").write_text(sysconfig.get_path("purelib"))
    program = f"""
import sys
import crabsk, pytest
options = ["-q", "-p", "no:cacheprovider", "-c", {str(ROOT / "pyproject.toml")!r}]
code = pytest.main([*options, *sys.argv[1:]])
assert crabsk.__file__.startswith({str(packages)!r}), crabsk.__file__
sys.exit(code)
"""
    done = subprocess.run(
        [python, "-P", "-c", NO_NETWORK + SIX_LINES],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert len(done.stdout.split()) == 2
    quick = [ROOT / path for path in QUICK]
    subprocess.run([python, "-P", "-c", program, *quick], check=True, cwd=tmp_path)
