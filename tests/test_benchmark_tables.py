"""The tables of README and docs are what the rows of benchmarks/results give."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / ".." / "shared" / "data" / "published.csv"
RESULTS = sorted((ROOT / "benchmarks" / "results").iterdir())
# How each run was made; `defaults.csv` holds no runs.
PROVENANCE = ["commit", "crabsk", "python", "threads", "seconds", "processor", "cpus", "system"]
TABLES = [path for path in RESULTS if path.name not in ("defaults.csv", "pretrained_errors.csv")]


@pytest.mark.skipif(not PUBLISHED.exists(), reason="no published figures beside the repository")
def test_documents_have_the_tables_that_the_results_give():
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "make_tables.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nRun `make tables`."


@pytest.mark.skipif(not PUBLISHED.exists(), reason="no published figures beside the repository")
def test_a_figure_that_was_changed_by_hand_is_found(tmp_path):
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        from _markdown import put_between_markers
    finally:
        sys.path.pop(0)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.search(r"begin -->\n\n(.*?)\n\n<!-- headline table: end", text, re.DOTALL)[1]
    assert put_between_markers(text, {"headline": table}) == text
    changed = text.replace(table, table.replace("0.", "1.", 1))
    assert put_between_markers(changed, {"headline": table}) != changed


def test_results_are_one_table_for_each_benchmark():
    assert all(path.suffix == ".csv" for path in RESULTS)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_run_says_what_made_it(path):
    rows = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype={"commit": str})
    assert set(PROVENANCE) <= set(rows.columns)
    # Candidates of an ensemble have no seconds of their own where others' work was theirs, too.
    assert rows[[name for name in PROVENANCE if name != "seconds"]].notna().all(axis=None)
    assert not rows["commit"].str.contains("dirty").any()
