"""Draw the tables of README and docs from benchmarks/results (``make tables``).

A document has a place for each of its tables, between ``<!-- NAME table: begin -->`` and
``<!-- NAME table: end -->``. With --check nothing is written: the documents whose tables are not
what the results give are listed, and the exit status is 1. Published figures come from
``published.csv`` in the folder of the data sets; without it, nothing is drawn.
"""

import argparse
import sys
from pathlib import Path

import _pretrained_errors
import accuracy
import against_crabnet
import against_roost
import automl
import classification
import closed_loop
import domain
import featurisation
import front
import gpu
import label_efficiency
import leaks
import multitask
import parsing
import polymorphs
import prediction_speed
import readme_tables
import scaling
import screening
import searching
import tables
import time_to_published
import training_speed
import uncertainty
import unseen_elements
from _common import ROOT, argument_parser
from _markdown import marked_tables, put_between_markers

BENCHMARKS = (
    *(accuracy, classification, tables, automl, label_efficiency, multitask, readme_tables),
    *(uncertainty, unseen_elements, domain, closed_loop, screening, front),
    *(against_roost, against_crabnet, time_to_published, training_speed, prediction_speed),
    *(scaling, searching, parsing, featurisation, gpu, leaks, polymorphs),
)


def draw(data: Path) -> dict[str, str]:
    """Return every table that the results give, by name."""
    drawn = _pretrained_errors.tables(argparse.Namespace())
    for benchmark in BENCHMARKS:
        options = benchmark.read_options(["--table-only"])
        options.data = data
        drawn |= benchmark.tables(options)
    return drawn


def documents() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def changes(drawn: dict[str, str]) -> dict[Path, str]:
    """Return the documents that are not what the results give, as they should be."""
    found, placed = {}, set()
    for path in documents():
        text = path.read_text(encoding="utf-8")
        placed |= set(marked_tables(text))
        if (new := put_between_markers(text, drawn)) != text:
            found[path] = new
    if absent := sorted(placed - set(drawn)):
        raise SystemExit(f"no results for the tables {', '.join(absent)}")
    if unplaced := sorted(set(drawn) - placed):
        raise SystemExit(f"no document has a place for the tables {', '.join(unplaced)}")
    return found


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    if not (options.data / "published.csv").exists():
        sys.exit(f"{options.data} has no published.csv: say --data")
    found = changes(draw(options.data))
    for path, text in found.items():
        if not options.check:
            path.write_text(text, encoding="utf-8")
        done = "differs from the results" if options.check else "written"
        print(f"{path.relative_to(ROOT)}: {done}")
    sys.exit(bool(found) and options.check)


if __name__ == "__main__":
    main()
