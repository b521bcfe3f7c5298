"""How fast formulas become feature vectors: CompositionTransformer beside its peers.

Each peer is set against the same statistics of the same 22 Magpie properties, by turns in one
process, on one core, from text to numbers, with the table of properties loaded beforehand:

- elementembeddings: mean, variance, minimum, maximum and range, with its `Embedding` object (given
  a name it would read the file again for each formula). The features are checked to be equal.
- matminer, where it can be imported (0.10.1 needs pandas < 3): `ElementProperty`'s preset "magpie"
  (minimum, maximum, range, mean, average deviation, mode) on compositions that
  `StrToComposition` makes, n_jobs=1.

elementembeddings and crabsk describe all formulas of Matbench's expt_gap, matminer a random part
of them: figures are formulas per second. crabsk describes its formulas ten times over in a repeat,
so that it, too, is timed for some tenths of a second; it keeps nothing from one time to the next.
"""

import argparse
import importlib.util
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from _common import (
    Work,
    benchmark_parser,
    compare_rates,
    rates_table,
    read_data_set,
    run_benchmark,
)
from _markdown import write_markdown
from _results import RESULTS, append_rows, described, read_table

from crabsk import CompositionTransformer

DATA_SET = "matbench/expt_gap"
REPEATS = 5
N_MATMINER = 500
PASSES = 10

STATS = {
    "elementembeddings": ["mean", "variance", "min", "max", "range"],
    "matminer": ["min", "max", "range", "mean", "avg_dev", "mode"],
}


def crabsk_featuriser(peer: str) -> CompositionTransformer:
    return CompositionTransformer("magpie", stats=STATS[peer]).fit(["Fe2O3"])


def elementembeddings_featuriser() -> Callable[[list[str]], np.ndarray]:
    from elementembeddings.composition import CompositionalEmbedding
    from elementembeddings.core import Embedding

    magpie = Embedding.load_data("magpie")
    stats = ["mean", "variance", "minpool", "maxpool", "range"]
    return lambda formulas: np.array(
        [CompositionalEmbedding(formula, magpie).feature_vector(stats) for formula in formulas]
    )


def matminer_featuriser() -> Callable[[list[str]], np.ndarray]:
    from matminer.featurizers.composition import ElementProperty
    from matminer.featurizers.conversions import StrToComposition

    to_composition, magpie = StrToComposition(), ElementProperty.from_preset("magpie")
    to_composition.set_n_jobs(1)
    magpie.set_n_jobs(1)
    return lambda formulas: np.array(
        magpie.featurize_many(to_composition.featurize_many(formulas, pbar=False), pbar=False)
    )


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "featurisation.csv")
    return {"featurisation": write_markdown(rates_table(results))} if len(results) else {}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace) -> None:
    formulas = read_data_set(options.data, DATA_SET)["formula"].tolist()
    part = np.random.default_rng(0).permutation(len(formulas))[:N_MATMINER]

    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the peers, about their own dependencies
        peers = {"elementembeddings": Work(elementembeddings_featuriser(), formulas)}
        if importlib.util.find_spec("matminer"):
            peers["matminer"] = Work(matminer_featuriser(), [formulas[i] for i in part])
        for peer, theirs in peers.items():
            transformer = crabsk_featuriser(peer)
            ours = Work(transformer.transform, formulas, PASSES)
            features = ours.do(formulas[:50]), theirs.do(formulas[:50])  # imports and tables, once
            if peer == "elementembeddings":
                np.testing.assert_allclose(*features, rtol=1e-9, atol=1e-9)
            row = {"data_set": DATA_SET, "peer": peer, **compare_rates(ours, theirs, REPEATS)}
            rows.append({**row, **described(transformer)})
    append_rows("featurisation", rows, packages=("numpy", "scikit-learn", "pandas", *sorted(peers)))


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
