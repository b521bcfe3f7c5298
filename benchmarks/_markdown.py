"""How the tables of documents are written."""

import re
import textwrap
from collections.abc import Mapping

import pandas as pd


def write_markdown(table: pd.DataFrame) -> str:
    rows = [list(table.columns), *table.astype(str).to_numpy().tolist()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(map(str.ljust, row, widths))} |" for row in rows)


# ------------------------------------------------------------------------------------------ cells


def write_time(seconds: float) -> str:
    if seconds >= 600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def write_folds(
    results: pd.DataFrame, score: str, n_folds: int, *, form: str = ".4g", spread: bool = True
) -> str:
    """Write the mean of a score (folds measured if not all; lowest to highest fold).

    The remarks of the results follow, too.
    """
    folds = results.groupby("fold")[score].mean()
    notes = []
    if len(folds) < n_folds:
        notes.append(f"{len(folds)}/{n_folds}")
    notes += results["remark"][results["remark"] != ""].unique().tolist()
    if spread and len(folds) > 1:
        notes.append(f"{folds.min():{form}}–{folds.max():{form}}")
    return f"{folds.mean():{form}}" + (f" ({'; '.join(notes)})" if notes else "")


def write_threads(results: pd.DataFrame) -> str:
    return " or ".join(map(str, sorted(results["threads"].astype(int).unique())))


def write_spread(row: Mapping, name: str, form: str) -> str:
    """Write a figure that was taken several times: median (lowest–highest)."""
    median, low, high = (row[f"{name}{end}"] for end in ("", "_min", "_max"))
    return f"{median:{form}} ({low:{form}}–{high:{form}})"


def percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.0f} %"


# ---------------------------------------------------------------------------------------- documents


MARKED = re.compile(r"(<!-- (\S+) table: begin -->\n)(.*?)(<!-- \2 table: end -->)", re.DOTALL)


def marked_tables(text: str) -> list[str]:
    """Return the names of the tables that a document has a place for."""
    return [found[2] for found in MARKED.finditer(text)]


def wrapped(tables: str) -> str:
    """Return tables with the text between them in lines of less than 100 characters."""
    lines = []
    for line in tables.split("\n"):
        indent = "  " if line.startswith("- ") else ""
        whole = line.startswith("|") or not line
        lines += [line] if whole else textwrap.wrap(line, 98, subsequent_indent=indent)
    return "\n".join(lines)


def put_between_markers(text: str, tables: Mapping[str, str]) -> str:
    """Return a document with each table in its place; places of other tables stay as they are."""
    return MARKED.sub(
        lambda found: (
            f"{found[1]}\n{wrapped(tables[found[2]])}\n\n{found[4]}"
            if found[2] in tables
            else found[0]
        ),
        text,
    )
