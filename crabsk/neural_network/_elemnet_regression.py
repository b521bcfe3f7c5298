"""ElemNet for real-valued targets."""

from typing import Any, ClassVar

from ._elemnet import CONSTRAINTS, PAPER, WIDTHS, BaseElemNet
from ._parameter_names import explain_unknown_names
from ._regression import CompositionRegressor
from ._saving import saveable


@saveable
class ElemNetRegressor(CompositionRegressor, BaseElemNet):
    """ElemNet for real-valued targets: 17 fully connected layers on atomic fractions.

    Each member sees nothing of a formula but how much there is of each element [1]_; it knows of
    no likeness between elements. A baseline for networks that do. Members differ in their initial
    weights and in the order of the samples.

    Parameters
    ----------
    embedding : str, DataFrame, mapping or elementembeddings Embedding, default="onehot"
        Table of element vectors: a name (`crabsk.embeddings.embedding_names`), a DataFrame indexed
        by symbol, or a mapping from symbol to vector. Features are standardised over the table's
        elements.
        With another table than "onehot" the network sees the vectors' mean, weighted by fractions.

    widths : tuple of tuple of int
        Widths of the hidden layers, block by block; by default the paper's 4 of 1024, 3 of 512, 3
        of 256, 3 of 128, 2 of 64 and 1 of 32.

    dropout : tuple of float, default=(0.2, 0.1, 0.3, 0.2)
        Dropout rates after the first blocks, rounded to multiples of 1/256.

    loss : {"absolute_error", "squared_error", "robust_l1", "robust_l2"}, default="absolute_error"
        The robust losses are the negative log likelihoods of a Laplace and a normal distribution
        whose width is learnt together with the mean. With the other two, the
        width is learnt alongside the mean and does not affect it.

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
        Decoupled weight decay.

    fraction_noise : float, default=0.02
        Standard deviation of the relative noise put on atomic fractions in training.

    n_estimators : int, default=8
        Number of networks in the ensemble. They train side by side, as many at a time as torch has
        threads. A large network (the paper's) shares out each batch to up to four threads.

    validation_fraction : float, default=0.1
        Share of the compositions that early stopping holds out, each with all of its samples,
        unless `fit` is given `X_val` and `y_val`.

    n_iter_no_change : int or None, default=None
        Early stopping: the number of epochs without improvement of the validation loss after which
        the training stops. The weights of the best epoch are kept. None trains to the end and holds
        out nothing.

    init_from : estimator or path, default=None
        A fitted estimator of the same network, for regression or classification, or the path of one
        that `crabsk.save_model` wrote. The members start from its networks; only the layers that
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
    ElemNetClassifier : The same network for classes.
    CrabNetRegressor : A transformer over the same elements.

    Notes
    -----
    `from_preset` names two settings, "default" and "paper", the latter with the loss, batches, rate
    and elements of [1]_: all up to plutonium but for He, Ne, Ar, Po, At, Rn, Fr and Ra. Each is
    plain parameters.

    References
    ----------
    .. [1] Jha, D., Ward, L., Paul, A., Liao, W.-k., Choudhary, A., Wolverton, C. and Agrawal, A.,
       "ElemNet: deep learning the chemistry of materials from only elemental composition",
       Scientific Reports 8, 17593 (2018). https://doi.org/10.1038/s41598-018-35934-y

    Examples
    --------
    >>> from crabsk import ElemNetRegressor
    >>> X = ["NaCl", "KCl", "NaBr", "KBr"]
    >>> y = [-2.13, -2.26, -1.87, -2.04]
    >>> model = ElemNetRegressor(max_epochs=5, n_estimators=2, random_state=0).fit(X, y)
    >>> mean, std = model.predict(["RbCl", "NaI"], return_std=True)
    >>> mean.shape, bool((std > 0).all())
    ((2,), True)
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "default": {},
        "paper": {**PAPER, "loss": "absolute_error"},
    }

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CompositionRegressor._parameter_constraints,
        **CONSTRAINTS,
    }

    @explain_unknown_names
    def __init__(
        self,
        embedding: Any = "onehot",
        *,
        widths: tuple[tuple[int, ...], ...] = WIDTHS,
        dropout: tuple[float, ...] = (0.2, 0.1, 0.3, 0.2),
        loss: str = "absolute_error",
        target_transform: Any = None,
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        fraction_noise: float = 0.02,
        n_estimators: int = 8,
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
            widths=widths,
            dropout=dropout,
            loss=loss,
            target_transform=target_transform,
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
