"""The errors of the properties that pretrained networks have learnt, on compositions left out."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from _markdown import write_markdown
from _results import RESULTS, append_rows, read_table

from crabsk import PretrainedTransformer, load_model
from crabsk.pretrained import properties

ERRORS = "pretrained_errors"


def measure_errors(path: Path, left_out: pd.DataFrame, table: pd.DataFrame) -> None:
    """Note the error of each property, as the transformer predicts it, on compositions left out."""
    predicted = PretrainedTransformer(weights=path).fit_transform(left_out.index.to_numpy(object))
    passes = load_model(path).n_iter_
    rows = [
        {
            "property": name,
            "n_train": int(table[name].notna().sum()),
            "n_left_out": int(left_out[name].notna().sum()),
            "error": float(np.abs(left_out[name] - predicted[:, k]).mean()),
            # What the median of the training values, which knows no composition, would have.
            "error_of_the_median": float((left_out[name] - table[name].median()).abs().mean()),
            "networks": 1,
            "passes": passes,
        }
        for k, name in enumerate(table)
        if left_out[name].notna().any()
    ]
    append_rows(ERRORS, rows, packages=("numpy", "torch"))


def latest_errors() -> pd.DataFrame:
    """Return the last row of each property."""
    rows = read_table(RESULTS / f"{ERRORS}.csv")
    if rows.empty:
        return pd.DataFrame({"error": [], "error_of_the_median": [], "n_left_out": []})
    return rows.groupby("property").last()


def tables(options: argparse.Namespace) -> dict[str, str]:
    known = latest_errors()
    rows = []
    for name, facts in properties().iterrows():
        row = {"property": f"`{name}`", "what it is": facts["title"], "source": facts["source"]}
        row["compositions"] = f"{facts['n_compositions']:,}"
        if name in known.index:
            its = known.loc[name]
            row["error"] = f"{its['error']:.3g}"
            row["of the median"] = f"{its['error_of_the_median']:.3g}"
            row["on"] = f"{its['n_left_out']:,.0f}"
        rows.append(row)
    return {"properties": write_markdown(pd.DataFrame(rows).fillna(""))}
