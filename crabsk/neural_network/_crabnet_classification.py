"""CrabNet for classes."""

from typing import Any, ClassVar

from ._classification import CompositionClassifier
from ._crabnet import CONSTRAINTS, PRESETS, BaseCrabNet
from ._parameter_names import explain_unknown_names
from ._saving import saveable


@saveable
class CrabNetClassifier(CompositionClassifier, BaseCrabNet):
    """CrabNet for classes: an ensemble of transformers over chemical formulas.

    The network is that of `CrabNetRegressor` [1]_, but the elements contribute to logits. The
    predicted probability is the mean over the members. A sample has one of two or more classes, or
    several labels.

    Parameters
    ----------
    embedding : str, DataFrame, mapping or elementembeddings Embedding, default="mat2vec"
        Table of element vectors: a name (`crabsk.embeddings.embedding_names`), a DataFrame indexed
        by symbol, or a mapping from symbol to vector. Each feature is standardised over the
        elements of the table. "onehot" gives the HotCrab of the paper.

    d_model : int, default=128
        Width of the encoder, from 2 to 8192.

    n_layers : int, default=3
        Number of encoder layers.

    architecture : {"crabsk", "paper"}, default="crabsk"
        Design of the network, apart from its width and depth. Both have four attention heads.

        - "crabsk" normalises before the blocks of each layer, which trains faster. Feed-forward
          blocks are twice as wide as the encoder. A residual network reads off the contribution of
          each element. Its two layers have twice and once the width of the encoder. If the fraction
          of an element varies little in the training samples, the network also sees this fraction
          relative to its usual value. Without this, steels that differ by a percent would look
          alike. Elements have learnt weights that depend on their fractions, so that a trace
          changes almost nothing. Muon trains the matrices inside the network, and AdamW trains all
          other weights [2]_.
        - "paper" is the network of [1]_. It normalises after the blocks. Feed-forward blocks are
          four times as wide as the encoder. The layers of the residual network have 2, 1, 1/2 and
          1/4 of the encoder's width. All elements have the same weight, whatever their fraction.
          AdamW trains the network.

        `crabsk.modules.CrabNet` takes any widths and any number of heads.

    n_experts : int, default=1
        Number of residual networks that read off the contributions. With 1, all targets share the
        network. With more, each target mixes their outputs with its own weights (multi-gate mixture
        of experts).

    cbfv : str or None, default="magpie"
        Name of an element table. The network then sees a composition-based feature vector as well
        as the elements: the mean and standard deviation of each property over the formula, as in
        `CompositionTransformer`. If the table lacks a property of an element, the mean over the
        elements of the table is used. None for no such vector.

    dropout : float or "auto", default="auto"
        Dropout rate in the encoder, rounded to a multiple of 1/256. "auto" takes 0.1 for up to
        120,000 samples, and none from 200,000 samples on. In between, the rate falls linearly. A
        warm start keeps the rate of the first fit.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss. They multiply the sample weights. "balanced" weights
        each class inversely to its frequency in the training samples. Not for multilabel targets.

    max_epochs : int or "auto", default="auto"
        Number of passes over the training samples. "auto" takes 60 for up to 10,000 samples, and
        ``60 * sqrt(10_000 / n_samples)`` for more. With `init_from`, it takes a share of this
        number: 27 % for 4000 samples or more, and two thirds for up to 250. In between, the share
        falls with the cube root of n_samples.
        "auto" takes fewer passes if samples with equal composition and extra features have very
        different labels. If more than 15 % of the variance of the ranks of y lies within groups of
        such samples, the number is multiplied by ``(0.15 / share) ** 2``, but stays at least 3. The
        number of `freeze` is added. Longer training would memorise single labels. The share is
        taken at the lower end of its 95 % confidence interval. With several targets, the smallest
        share counts.

    batch_size : int or "auto", default="auto"
        Number of samples in a batch. "auto" takes the power of two nearest to n_samples / 16, from
        64 to 256. Below 512 samples, it takes the power of two nearest to n_samples / 8. In the
        paper's architecture, it takes the one nearest to n_samples / 32, from 32 to 512.

    learning_rate : float or "auto", default=0.002
        Peak of the one-cycle schedule. "auto" takes 0.002 for networks that start from random
        weights. With `init_from`, it takes ``0.004 * (n / 4000) ** (1/3)``, where n is the number
        of samples, clipped to the range from 100 to 4000.

    weight_decay : float, default=0.01
        Decoupled weight decay.

    fraction_noise : float, default=0.02
        Standard deviation of the relative noise on atomic fractions during training.

    n_estimators : int, default=6
        Number of networks in the ensemble. They train side by side, as many at a time as torch has
        threads. On a CPU, a large network divides large batches among up to four threads.

    validation_fraction : float, default=0.1
        Share of the compositions that early stopping holds out, each with all of its samples. Not
        used if `X_val` and `y_val` are passed to `fit`.

    n_iter_no_change : int or None, default=None
        Early stopping: the training stops after this number of epochs without improvement of the
        validation loss, and keeps the weights of the best epoch. With None, the training runs to
        the end and holds out no samples.

    init_from : estimator, path or "pretrained", default=None
        A fitted estimator of the same network, for regression or classification, or the path of one
        that `crabsk.save_model` wrote. "pretrained" selects the latest weights that ship with the
        package (`crabsk.pretrained`). A name with a version, such as "pretrained-1", selects the
        same weights in later versions of crabsk. The members start from the networks of this
        source; only the layers that read off the target start afresh. Extra features (numeric
        columns, `cbfv`) must be the same as in the source, and keep its scale. If the source has
        none, any are allowed. In a warm start, `init_from` applies only to the members that are
        added. Clones of the estimator keep the fitted source.

    freeze : int, default=0
        Number of epochs at the start in which `fit` trains only the new layers, and not those taken
        over from `init_from`.

    checkpoint : path, default=None
        Folder in which `fit` saves the state of each member after every epoch. If a fit was killed,
        call it again with the same parameters and samples. It then continues from the saved state,
        and ends with the same networks as an uninterrupted fit. If the fit had finished, its
        networks are loaded. Different fits, such as those of a search, can share the folder. With
        ``random_state=None``, the first fit draws seeds and later ones reuse them. The states of
        `callbacks` are not saved.

    time_limit : float, default=None
        Seconds that `fit` may take. A few steps are timed before the training starts. If time is
        short, `fit` first makes fewer passes over the samples, but at least half as many. Then it
        trains fewer members, and only then even fewer passes. The learning rate still runs through
        its whole schedule. The result depends on the speed of the machine: see `n_iter_` and
        `nets_`. Cannot be combined with `checkpoint`.

    missing : {"error", "mean", "zero"}, default="error"
        How to treat elements that the table of `embedding` lacks. "error" refuses them, "mean"
        gives them the mean vector of the table, and "zero" gives them zeros.

    device : str, default="auto"
        torch device to compute on. "auto" takes a CUDA GPU if one is available.

    precision : {"float32", "bfloat16"}, default="float32"
        Precision of matrix products during training. "bfloat16" is faster for wide networks, such
        as the paper's, on CPUs and GPUs that have instructions for it, and slower elsewhere.
        Weights, averaged weights and predictions have single precision in either case.

    progress : bool, default=False
        Whether to show progress bars on standard error. `fit` counts epochs. A prediction counts
        rows, if it takes more than a few seconds. The worker processes of a parallel search show
        nothing.

    callbacks : list of skorch callbacks or (name, callback) pairs, default=None
        Each member gets shallow copies of the callbacks, which are kept in `callbacks_`. The copies
        share the objects that a callback was made with (a list, an open file, a trial of Optuna).
        If there are several members, skorch's ``Checkpoint`` writes to one subfolder for each:
        ``member0`` and so on.

    warm_start : bool, default=False
        Whether `fit` starts from the weights of the previous `fit`. If `n_estimators` was raised in
        between, the existing members do not change, and new ones are added.

    random_state : int, RandomState instance or None, default=None
        Determines initial weights, shuffling, noise, dropout and validation samples. The same seed
        gives the same model on the same machine. Global random states do not change, except that
        None draws seeds from numpy's.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The sorted classes. For multilabel targets, the numbers of the columns of y.

    nets_ : list of skorch.NeuralNet
        The fitted members; ``nets_[k].module_`` is the torch network.

    history_ : list of list of dict
        For each member and epoch: "train_loss", "valid_loss" (if there is validation data), the
        "learning_rate" at the end of the epoch, and "dur", the duration of the epoch in seconds.
        The losses of a regressor are those of the standardised target. With "absolute_error" or
        "squared_error", the training loss includes a likelihood that trains the uncertainty.

    n_iter_ : int
        Number of passes over the training samples, by the member with the most passes.

    callbacks_ : list of list of skorch callbacks
        The copies of `callbacks` that each member was trained with.

    n_features_in_ : int
        Number of columns of X seen by `fit`; 1 for a sequence of formulas.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, if X was a DataFrame whose column names are all strings.

    formula_position_ : int or None
        Position of the column of formulas; None for a matrix of element amounts.

    See Also
    --------
    CrabNetRegressor : The same network for real-valued targets.

    Notes
    -----
    `from_preset` takes "fast", "default", "accurate", "pretrained" (starts from weights that ship
    with the package) or "paper" (the architecture and length of training of [1]_). A preset only
    sets parameters.

    References
    ----------
    .. [1] Wang, A. Y.-T., Kauwe, S. K., Murdock, R. J. and Sparks, T. D., "Compositionally
       restricted attention-based network for materials property predictions", npj Computational
       Materials 7, 77 (2021). https://doi.org/10.1038/s41524-021-00545-1
    .. [2] Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
       https://kellerjordan.github.io/posts/muon/

    Examples
    --------
    >>> from crabsk import CrabNetClassifier
    >>> X = ["Cu", "CuZn", "FeNi", "NaCl", "MgO", "SiO2"]
    >>> y = ["metal", "metal", "metal", "insulator", "insulator", "insulator"]
    >>> model = CrabNetClassifier(max_epochs=20, n_estimators=2, random_state=0).fit(X, y)
    >>> model.predict_proba(["NiAl", "KCl"]).shape
    (2, 2)
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = PRESETS

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CompositionClassifier._parameter_constraints,
        **CONSTRAINTS,
    }

    @explain_unknown_names
    def __init__(
        self,
        embedding: Any = "mat2vec",
        *,
        d_model: int = 128,
        n_layers: int = 3,
        architecture: str = "crabsk",
        n_experts: int = 1,
        cbfv: str | None = "magpie",
        dropout: float | str = "auto",
        class_weight: Any = None,
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = 2e-3,
        weight_decay: float = 0.01,
        fraction_noise: float = 0.02,
        n_estimators: int = 6,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = None,
        init_from: Any = None,
        freeze: int = 0,
        checkpoint: Any = None,
        time_limit: float | None = None,
        missing: str = "error",
        device: str = "auto",
        precision: str = "float32",
        progress: bool = False,
        callbacks: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            embedding=embedding,
            d_model=d_model,
            n_layers=n_layers,
            architecture=architecture,
            n_experts=n_experts,
            cbfv=cbfv,
            dropout=dropout,
            class_weight=class_weight,
            max_epochs=max_epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            fraction_noise=fraction_noise,
            n_estimators=n_estimators,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            init_from=init_from,
            freeze=freeze,
            checkpoint=checkpoint,
            time_limit=time_limit,
            missing=missing,
            device=device,
            precision=precision,
            progress=progress,
            callbacks=callbacks,
            warm_start=warm_start,
            random_state=random_state,
        )
