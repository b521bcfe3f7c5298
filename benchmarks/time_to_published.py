"""Seconds to the MAE that is published for CrabNet on expt_gap, beside the public crabnet 2.0.8.

The official fold 0. crabnet's time is extrapolated to its 300 epochs, once from whole fits of 20,
so that what it does once counts fifteen times, and once from `--long-epochs` training passes (with
300, nothing is extrapolated there). Both suppose that it does not stop early, which it may, after
80 epochs at the soonest. Its own error is not measured. `_crabnet` says how it is installed.

crabsk's time is that of a fit to all training rows: of the preset "pretrained", from weights that
know none of the compositions; of the default; and of the default with fewer networks. A fit reaches
the published MAE or not on the test rows of the fold. The smallest ensemble that does with every
seed is thus found by looking at test rows: it says which time is enough here, not how many networks
to use elsewhere.

Each fit is a row of results/time_to_published.csv, written as soon as it is measured.
"""

import argparse
import time
import warnings
from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from _common import (
    BENCHMARK_WEIGHTS,
    Rows,
    benchmark_parser,
    fold_0,
    in_fresh_process,
    spread,
    three,
)
from _crabnet import (
    SILENT,
    check_installed,
    crabnet_fit,
    crabnet_passes,
    facts_of_fit,
    facts_of_passes,
    hold_out_a_tenth,
)
from _markdown import write_markdown
from _results import RESULTS, append_rows, described, of_last_commit, read_table
from sklearn.base import clone
from sklearn.metrics import mean_absolute_error
from tqdm import tqdm

from crabsk import CrabNetRegressor
from crabsk.neural_network import ConflictingTargetsWarning

CRABNET_EPOCHS = 300  # crabnet's default
PUBLISHED_MAE = 0.3476  # CrabNet on fold 0 of expt_gap, matbench_v0.1
PACKAGES = ("numpy", "scikit-learn", "skorch", "torch", "crabnet")
PEERS = ("crabnet", "crabnet's passes")

warnings.simplefilter("ignore", ConflictingTargetsWarning)


def our_models(options: argparse.Namespace) -> dict[str, CrabNetRegressor]:
    pretrained = CrabNetRegressor.from_preset("pretrained", init_from=BENCHMARK_WEIGHTS)
    default = CrabNetRegressor()
    fewer = {f"default, networks: {n}": CrabNetRegressor(n_estimators=n) for n in options.ensembles}
    return {"pretrained": pretrained, "default": default, **fewer}


def fit_and_error(model: Any, train: Rows, test: Rows) -> tuple[float, float]:
    """Return the seconds of a fit with all rows, and its error."""
    model = clone(model)
    start = time.perf_counter()
    model.fit(*train)
    seconds = time.perf_counter() - start
    return seconds, mean_absolute_error(test.y, model.predict(test.X))


def note(row: dict) -> None:
    case = {"data_set": "expt_gap, fold 0", "threads": torch.get_num_threads()}
    append_rows("time_to_published", [{**case, **row}], packages=PACKAGES)


def measure(options: argparse.Namespace) -> None:
    """Fit crabnet, which is not seeded, and our models by turns, for each seed."""
    train, test = fold_0(options.data, "expt_gap")
    if options.long_epochs:
        epochs = in_fresh_process(crabnet_passes, train, options.long_epochs)
        facts = {"n_train": len(train.X), **facts_of_passes(epochs), **SILENT}
        note({"model": "crabnet's passes", **facts})
    held_out = hold_out_a_tenth(train)
    for seed in tqdm(options.seeds, unit="seed"):
        facts = facts_of_fit(in_fresh_process(crabnet_fit, *held_out))
        note({"model": "crabnet", "seed": seed, "n_train": len(held_out[0].X), **facts, **SILENT})
        for name, model in our_models(options).items():
            model.set_params(device="cpu", random_state=seed)
            seconds, mae = in_fresh_process(fit_and_error, model, train, test)
            facts = {"n_train": len(train.X), "seconds": seconds, "mae": mae}
            note({"model": name, "seed": seed, **facts, **described(model)})


def extrapolated(rows: pd.DataFrame) -> pd.Series:
    """Return the seconds of all of crabnet's epochs."""
    return rows["seconds"] + (CRABNET_EPOCHS - rows["epochs"]) * rows["seconds_per_epoch"]


def make_table(results: pd.DataFrame) -> pd.DataFrame:
    whole = extrapolated(results[results["model"] == "crabnet"])
    rows = []
    for (model, threads), its in results.groupby(["model", "threads"], sort=False):
        peer = model in PEERS
        seconds = extrapolated(its) if peer else its["seconds"]
        reached = "" if peer else f"{(its['mae'] <= PUBLISHED_MAE).sum()} of {len(its)}"
        rows.append(
            {
                "model": f"{model}, extrapolated" if peer else f"CrabNet, {model}",
                "threads": threads,
                "seconds": three(spread(seconds.tolist()), ".0f"),
                "MAE (eV)": "" if peer else three(spread(its["mae"].tolist()), ".4f"),
                "seeds that reach it": reached,
                "crabnet's fit over these": "" if peer else f"{whole.mean() / seconds.mean():.1f}",
            }
        )
    return pd.DataFrame(rows)


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "time_to_published.csv")
    if results.empty:
        return {}
    results = of_last_commit(results, ["model", "threads"])
    return {"time-to-published": write_markdown(make_table(results))}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--ensembles", type=int, nargs="*", default=[2, 4], help="networks, beside the default's"
    )
    parser.add_argument(
        "--long-epochs",
        type=int,
        default=20,
        help="crabnet's training passes to extrapolate from; 0 leaves that out",
    )
    options = parser.parse_args(arguments)
    if options.long_epochs not in (0, *range(2, CRABNET_EPOCHS + 1)):
        parser.error(f"--long-epochs must be 0, or from 2 to {CRABNET_EPOCHS}")
    return options


def main() -> None:
    options = read_options()
    if not options.table_only:
        check_installed()
        measure(options)
    print(*tables(options).values())


if __name__ == "__main__":
    main()
