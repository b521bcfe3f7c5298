"""CrabNet as scikit-learn estimators."""

from numbers import Integral
from typing import Any, ClassVar

from torch import Tensor, nn

from .._validation import HasMethods, Interval, StrOptions
from ..modules import CrabNet, FractionStatistics
from ._base import BaseCompositionNetwork
from ._regression import CompositionRegressor


class CrabNetRegressor(CompositionRegressor):
    """CrabNet for real-valued targets: an ensemble of transformers over chemical formulas.

    Each member reads a formula as a set of elements with fractions, lets the elements attend to
    each other, and averages what each contributes to the property [1]_. Members differ in their
    initial weights and in the order of the samples.

    Parameters
    ----------
    embedding : str, DataFrame, mapping or elementembeddings Embedding, default="mat2vec"
        Table of element vectors: a name (`crabsk.embeddings.embedding_names`; "onehot" makes the
        paper's HotCrab), a DataFrame indexed by symbol, or a mapping from symbol to vector.
        Features are standardised over the table's elements.

    d_model : int, default=128
        Width of the encoder; even, and a multiple of `n_heads`.

    n_layers : int, default=3
        Number of encoder layers.

    n_heads : int, default=4
        Number of attention heads in each layer.

    dim_feedforward : int, default=256
        Hidden width of the encoder's feed-forward blocks.

    head_widths : tuple of int, default=(256, 128)
        Widths of the residual network that reads off each element's contribution.

    norm_first : bool, default=True
        Whether layers normalise before their blocks, which trains faster, or after them, as the
        paper's.

    dropout : float, default=0.1
        Dropout rate in the encoder, rounded to a multiple of 1/256.

    standardize_fractions : bool, default=True
        Whether the network also sees atomic fractions relative to what their elements usually have
        in the training samples, where those vary little: the steels of a set, which differ by a
        percent, would look alike without it.

    fraction_noise : float, default=0.02
        Standard deviation of the relative noise put on atomic fractions in training.

    loss : {"absolute_error", "squared_error", "robust_l1", "robust_l2"}, default="absolute_error"
        The robust losses are the negative log likelihoods of a Laplace and a normal distribution
        whose width is learnt together with the mean. With the plain ones the width is learnt
        beside the mean, which is as if trained without.

    target_transform : {"log", "yeo-johnson"} or transformer, default=None
        What to apply to the targets before they are standardised; for skewed targets.

    max_epochs : int or "auto", default="auto"
        Number of passes over the training samples. "auto" takes 60 for up to 10,000 samples, and
        ``60 * sqrt(10_000 / n_samples)`` beyond.

    batch_size : int or "auto", default="auto"
        Compositions in a batch. "auto" takes the power of two nearest to n_samples / 32, from 32
        to 512.

    learning_rate : float, default=0.001
        Peak of the one-cycle schedule.

    weight_decay : float, default=0.01
        Decoupled weight decay of AdamW.

    n_estimators : int, default=8
        Number of networks in the ensemble. They train side by side, as many at a time as torch has
        threads. A large network (the paper's) shares out each batch to up to four threads.

    early_stopping : bool, default=False
        Whether to stop when the validation loss has not improved for `n_iter_no_change` epochs, and
        keep the weights of the best epoch.

    validation_fraction : float, default=0.1
        Share of the samples that each member holds out with ``early_stopping=True``, unless `fit`
        is given `validation_data`.

    n_iter_no_change : int, default=10
        Epochs without improvement that early stopping waits.

    missing : {"error", "mean", "zero"}, default="error"
        What to do about elements that the embedding lacks: refuse them, or give them the mean
        vector of the table, or zeros.

    formula_column : "auto", str or int, default="auto"
        Which column of a table holds the formulas. "auto" finds it by its values.

    device : str, default="auto"
        torch device to compute on. "auto" takes a CUDA GPU if there is one.

    progress : bool, default=False
        Whether to show a progress bar on standard error. Silent in the worker processes of a
        parallel search.

    callbacks : list of skorch callbacks or (name, callback) pairs, default=None
        Copies of them are handed to the net of each member, and kept in `callbacks_`.

    warm_start : bool, default=False
        Whether a further `fit` starts from the weights of the one before.

    random_state : int, RandomState instance or None, default=None
        Decides initial weights, shuffling, noise, dropout and validation samples: the same seed
        gives the same model on the same machine. Global random states are left alone (None draws
        a seed from numpy's).

    Attributes
    ----------
    nets_ : list of skorch.NeuralNet
        The fitted members; ``nets_[k].module_`` is the torch network.

    history_ : list of list of dict
        For each member and epoch "train_loss", "valid_loss" (where there is validation data) and
        the duration in seconds, "dur". Losses are those of the standardised target; to the
        training loss, the plain ones have the likelihood added that teaches the uncertainty.

    callbacks_ : list of list of skorch callbacks
        The copies of `callbacks` that each member was trained with.

    n_features_in_ : int
        Number of columns of X seen by `fit`; 1 for a sequence of formulas.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, if X was a DataFrame whose column names are all strings.

    formula_position_ : int or None
        Position of the column of formulas; None for a matrix of element amounts.

    See Also
    --------
    crabsk.CompositionTransformer : Features of formulas for any other estimator.

    Notes
    -----
    `from_preset` names four settings: "fast", "default", "accurate" and "paper", the last with the
    architecture, loss and length of training of [1]_. Each is plain parameters.

    References
    ----------
    .. [1] Wang, A. Y.-T., Kauwe, S. K., Murdock, R. J. and Sparks, T. D., "Compositionally
       restricted attention-based network for materials property predictions", npj Computational
       Materials 7, 77 (2021). https://doi.org/10.1038/s41524-021-00545-1

    Examples
    --------
    >>> from crabsk import CrabNetRegressor
    >>> X = ["NaCl", "KCl", "NaBr", "KBr"]
    >>> y = [-2.13, -2.26, -1.87, -2.04]
    >>> model = CrabNetRegressor(max_epochs=5, n_estimators=2, random_state=0).fit(X, y)
    >>> mean, std = model.predict(["RbCl", "NaI"], return_std=True)
    >>> mean.shape, bool((std > 0).all())
    ((2,), True)
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "fast": {
            "d_model": 64,
            "dim_feedforward": 128,
            "head_widths": (128, 64),
            "n_estimators": 2,
            "max_epochs": 30,
            "learning_rate": 2e-3,
        },
        "default": {},
        "accurate": {"n_estimators": 16, "max_epochs": 100},
        "paper": {
            "d_model": 512,
            "dim_feedforward": 2048,
            "head_widths": (1024, 512, 256, 128),
            "norm_first": False,
            "standardize_fractions": False,
            "fraction_noise": 0.02,
            "loss": "robust_l1",
            "max_epochs": 300,
            "learning_rate": 3e-4,
            "n_estimators": 1,
        },
    }

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseCompositionNetwork._parameter_constraints,
        "d_model": [Interval(Integral, 2, None, closed="left")],
        "n_layers": [Interval(Integral, 0, None, closed="left")],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "dim_feedforward": [Interval(Integral, 1, None, closed="left")],
        "head_widths": [list, tuple],  # of positive integers: `_build_module` looks
        "norm_first": ["boolean"],
        "standardize_fractions": ["boolean"],
        "target_transform": [
            StrOptions({"log", "yeo-johnson"}),
            None,
            HasMethods(["fit", "transform", "inverse_transform"]),
        ],
    }

    def __init__(
        self,
        embedding: Any = "mat2vec",
        *,
        d_model: int = 128,
        n_layers: int = 3,
        n_heads: int = 4,
        dim_feedforward: int = 256,
        head_widths: tuple[int, ...] = (256, 128),
        norm_first: bool = True,
        standardize_fractions: bool = True,
        dropout: float = 0.1,
        fraction_noise: float = 0.02,
        loss: str = "absolute_error",
        target_transform: Any = None,
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        n_estimators: int = 8,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        missing: str = "error",
        formula_column: Any = "auto",
        device: str = "auto",
        progress: bool = False,
        callbacks: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        self.embedding = embedding
        self.d_model = d_model
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.dim_feedforward = dim_feedforward
        self.head_widths = head_widths
        self.norm_first = norm_first
        self.standardize_fractions = standardize_fractions
        self.dropout = dropout
        self.fraction_noise = fraction_noise
        self.loss = loss
        self.target_transform = target_transform
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.n_estimators = n_estimators
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.missing = missing
        self.formula_column = formula_column
        self.device = device
        self.progress = progress
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state

    def _build_module(
        self,
        element_vectors: Tensor,
        statistics: FractionStatistics,
        n_outputs: int,
        n_extra: int,
    ) -> nn.Module:
        widths = tuple(self.head_widths)
        if not widths or not all(isinstance(w, Integral) and w > 0 for w in widths):
            raise ValueError(f"head_widths={self.head_widths!r} must be one or more widths above 0")
        return CrabNet(
            element_vectors,
            n_outputs=n_outputs,
            n_extra=n_extra,
            fraction_statistics=statistics if self.standardize_fractions else None,
            d_model=self.d_model,
            n_layers=self.n_layers,
            n_heads=self.n_heads,
            dim_feedforward=self.dim_feedforward,
            dropout=self.dropout,
            norm_first=self.norm_first,
            head_widths=widths,
            # The robust losses weigh errors by their uncertainty: there the two learn together.
            detach_uncertainty=not self.loss.startswith("robust"),
        )
