"""CrabNet for classes."""

from typing import Any, ClassVar

from ._classification import CompositionClassifier
from ._crabnet import CONSTRAINTS, PRESETS, BaseCrabNet
from ._parameter_names import explain_unknown_names
from ._saving import saveable


@saveable
class CrabNetClassifier(CompositionClassifier, BaseCrabNet):
    """CrabNet for classes: an ensemble of transformers over chemical formulas.

    The network of `CrabNetRegressor` [1]_; what its elements contribute are logits. Members vote
    with their mean probability. A sample may be of one of two or more classes, or carry several
    labels.

    Parameters
    ----------
    embedding : str, DataFrame, mapping or elementembeddings Embedding, default="mat2vec"
        Table of element vectors: a name (`crabsk.embeddings.embedding_names`), a DataFrame indexed
        by symbol, or a mapping from symbol to vector. Features are standardised over the table's
        elements.
        "onehot" makes the paper's HotCrab.

    d_model : int, default=128
        Width of the encoder, from 2 to 8192.

    n_layers : int, default=3
        Number of encoder layers.

    architecture : {"crabsk", "paper"}, default="crabsk"
        What the network is like beside its width and depth. Both have four attention heads.

        - "crabsk" normalises before the blocks of each layer, which trains faster. Feed-forward
          blocks are twice as wide as the encoder. A residual network with one layer of twice and
          one of once that width reads off each element's contribution. The network also sees atomic
          fractions relative to what their elements usually have in the training samples, where
          those vary little: the steels of a set, which differ by a percent, would look alike
          without it. Elements count by learnt weights of their fractions, so that a trace changes
          next to nothing. Matrices are trained by Muon, all else by AdamW [2]_.
        - "paper" is the network of [1]_. It normalises after the blocks. Feed-forward blocks are
          four times as wide as the encoder, and its residual network has 2, 1, 1/2 and 1/4 of the
          encoder's width. Every element counts alike, however little there is of it. AdamW trains
          it.

        `crabsk.modules.CrabNet` takes any widths and heads.

    n_experts : int, default=1
        Number of residual networks that read off the contributions. With 1, all targets share it.
        With more, each target mixes their outputs with weights of its own (multi-gate mixture of
        experts).

    cbfv : str or None, default="magpie"
        Name of an element table, of which the network sees a composition-based feature vector
        beside the elements: mean and standard deviation of each property over the formula, as in
        `CompositionTransformer`. An element without a property in the table has the mean over the
        table's elements. None for no such vector.

    dropout : float, default=0.1
        Dropout rate in the encoder, rounded to a multiple of 1/256.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss, which multiply those of the samples. "balanced" weighs
        each class inversely to how often it occurs in the samples to train on. Not for several
        labels a sample.

    max_epochs : int or "auto", default="auto"
        Number of passes over the training samples. "auto" takes 60 for up to 10,000 samples, and
        ``60 * sqrt(10_000 / n_samples)`` beyond. With `init_from` it takes fewer: 27 % of that
        from 4000 samples on, two thirds up to 250, and a share that falls with the cube root of
        n_samples in between.

    batch_size : int or "auto", default="auto"
        Compositions in a batch. "auto" takes the power of two nearest to n_samples / 16, from 64
        to 256; below 512 samples, that nearest to n_samples / 8. In the paper's architecture it is
        n_samples / 32, from 32 to 512.

    learning_rate : float or "auto", default=0.002
        Peak of the one-cycle schedule. "auto" takes 0.002 for networks that train from nothing.
        With `init_from` it takes ``0.004 * (n / 4000) ** (1/3)``, where n is the number of samples,
        clipped to 100 and 4000.

    weight_decay : float, default=0.01
        Decoupled weight decay.

    fraction_noise : float, default=0.02
        Standard deviation of the relative noise put on atomic fractions in training.

    n_estimators : int, default=6
        Number of networks in the ensemble. They train side by side, as many at a time as torch has
        threads. A large network (the paper's) shares out each batch to up to four threads.

    validation_fraction : float, default=0.1
        Share of the compositions that early stopping holds out, each with all of its samples,
        unless `fit` is given `X_val` and `y_val`.

    n_iter_no_change : int or None, default=None
        Early stopping: the number of epochs without improvement of the validation loss after which
        the training stops. The weights of the best epoch are kept. None trains to the end and holds
        out nothing.

    init_from : estimator, path or "pretrained", default=None
        A fitted estimator of the same network, for regression or classification, or the path of one
        that `crabsk.save_model` wrote. "pretrained" are the latest weights that ship with the
        package (`crabsk.pretrained`); a name with a version, such as "pretrained-1", means the same
        in later versions of crabsk. The members start from its networks; only the layers that
        read off the target start afresh. Extra features must be those of the source, and keep its
        scale, unless it has none. In a warm start, this applies only to the members that are added.
        Clones of the estimator keep it.

    freeze : int, default=0
        Number of first epochs in which only what `init_from` did not give is trained.

    checkpoint : path, default=None
        Folder in which `fit` notes the state of each member after every epoch. A fit that was
        killed and is called again, with the same parameters and samples, goes on from there and
        ends in the same networks as one that was not; a finished one is returned. Different fits,
        as those of a search, share the folder. With ``random_state=None`` the seed drawn first is
        kept. States of `callbacks` are not noted.

    time_limit : float, default=None
        Seconds that `fit` may take. A few steps are timed before the training starts. If time is
        short, passes are saved, down to half, then members, then passes again; what is left is
        trained to the end of its schedule. How much that is depends on the machine: see `n_iter_`
        and `nets_`. Not with `checkpoint`.

    missing : {"error", "mean", "zero"}, default="error"
        What to do about elements that the table of `embedding` lacks: refuse them, or give them the
        mean vector of the table, or zeros.

    device : str, default="auto"
        torch device to compute on. "auto" takes a CUDA GPU if there is one.

    precision : {"float32", "bfloat16"}, default="float32"
        What matrices are multiplied in while training. "bfloat16" is faster for wide networks, such
        as the paper's, on processors and GPUs that have instructions for it, and slower elsewhere.
        Weights, their averages and predictions have single precision in either case.

    progress : bool, default=False
        Whether to show progress bars on standard error: of the epochs in `fit`, and of the rows
        where `predict` takes seconds. Silent in the worker processes of a parallel search.

    callbacks : list of skorch callbacks or (name, callback) pairs, default=None
        The net of each member gets shallow copies of them, which are kept in `callbacks_`. What
        they were made with (a list, an open file, a trial of Optuna) is shared. skorch's
        ``Checkpoint`` writes to a folder for each member, ``member0`` and so on, if there are
        several.

    warm_start : bool, default=False
        Whether a further `fit` starts from the weights of the one before. If `n_estimators` was
        raised in between, the members that are there stay as they are, and new ones are added.

    random_state : int, RandomState instance or None, default=None
        Decides initial weights, shuffling, noise, dropout and validation samples: the same seed
        gives the same model on the same machine. Global random states are left alone (None draws
        a seed from numpy's).

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted; with several labels a sample the columns of y.

    nets_ : list of skorch.NeuralNet
        The fitted members; ``nets_[k].module_`` is the torch network.

    history_ : list of list of dict
        For each member and epoch "train_loss", "valid_loss" (where there is validation data), the
        "learning_rate" at the end of the epoch and its duration in seconds, "dur". A regressor's
        losses are those of the standardised target; to the training loss, the plain ones have the
        likelihood added that teaches the uncertainty.

    n_iter_ : int
        Number of passes over the training samples, that of the member with most.

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
    `from_preset` names five settings: "fast", "default", "accurate", "pretrained" (starts from
    weights that ship with the package) and "paper", with the architecture and length of
    training of [1]_. Each is plain parameters.

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
        dropout: float = 0.1,
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
