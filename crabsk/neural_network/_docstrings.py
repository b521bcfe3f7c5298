"""What the docstrings of the estimators have in common, by the name that stands for it there."""

SHARED_SECTIONS = {
    "embedding": """\
    Table of element vectors: a name (`crabsk.embeddings.embedding_names`), a DataFrame indexed
    by symbol, or a mapping from symbol to vector. Features are standardised over the table's
    elements.""",
    "loss": """\
loss : {"absolute_error", "squared_error", "robust_l1", "robust_l2"}, default="absolute_error"
    The robust losses are the negative log likelihoods of a Laplace and a normal distribution
    whose width is learnt together with the mean. With the plain ones the width is learnt
    beside the mean, which is as if trained without.

target_transform : {"log", "yeo-johnson"} or transformer, default=None
    What to apply to the targets before they are standardised; for skewed targets.""",
    "mc_dropout": """\
mc_dropout : int, default=0
    Number of networks, at most 1000, that dropout draws from each member [2]_, whose scatter
    stands for that of the members in the standard deviations of predictions. For single networks:
    the members of an ensemble scatter by themselves.""",
    "mc_dropout_reference": """\
.. [2] Gal, Y. and Ghahramani, Z., "Dropout as a Bayesian approximation: representing model
   uncertainty in deep learning", ICML 2016. https://arxiv.org/abs/1506.02142""",
    "class_weight": """\
class_weight : dict, "balanced" or None, default=None
    Weights of the classes in the loss, which multiply those of the samples. "balanced" weighs
    each class inversely to how often it occurs in the samples to train on. Not for several labels
    a sample.""",
    "crabnet": """\
d_model : int, default=128
    Width of the encoder, from 2 to 8192.

n_layers : int, default=3
    Number of encoder layers.

n_heads : int, default=4
    Number of attention heads in each layer. Each has the width ``d_model / n_heads``, rounded up.

dim_feedforward : int, default=256
    Hidden width of the encoder's feed-forward blocks.

head_widths : tuple of int, default=(256, 128)
    Widths of the residual network that reads off each element's contribution.

head : {"shared", "mmoe"}, default="shared"
    Whether all targets share one such network, or each mixes several in its own way (multi-gate
    mixture of experts).

n_experts : int, default=4
    Number of networks in the mixture, with ``head="mmoe"``.

norm_first : bool, default=True
    Whether layers normalise before their blocks, which trains faster, or after them, as the
    paper's.

standardize_fractions : bool, default=True
    Whether the network also sees atomic fractions relative to what their elements usually have
    in the training samples, where those vary little: the steels of a set, which differ by a
    percent, would look alike without it.

cbfv : str or None, default=None
    Name of an element table, such as "magpie", of which the network sees a composition-based
    feature vector beside the elements: mean and standard deviation of each property over the
    formula, as in `CompositionTransformer`. Elements that the table lacks count as its mean.

dropout : float, default=0.1
    Dropout rate in the encoder, rounded to a multiple of 1/256.""",
    "crabnet_reference": """\
.. [1] Wang, A. Y.-T., Kauwe, S. K., Murdock, R. J. and Sparks, T. D., "Compositionally
   restricted attention-based network for materials property predictions", npj Computational
   Materials 7, 77 (2021). https://doi.org/10.1038/s41524-021-00545-1""",
    "roost": """\
element_width : int, default=64
    Width of an element's vector; its last entry is the fraction.

n_layers : int, default=3
    Number of layers in which elements send each other messages.

n_heads : int, default=3
    Number of attention heads in each layer and in the pooling.

gate_width, message_width : int, default=256
    Hidden widths of the networks that make the weight and the content of a message.

trunk_widths : tuple of int, default=(1024, 512, 256)
    Widths, at least two, of the residual network that follows the pooling.

head_widths : tuple of int, default=(128, 64)
    Widths of the residual network that reads off the targets.""",
    "roost_reference": """\
.. [1] Goodall, R. E. A. and Lee, A. A., "Predicting materials properties without crystal
   structure: deep representation learning from stoichiometry", Nature Communications 11, 6280
   (2020). https://doi.org/10.1038/s41467-020-19964-7""",
    "elemnet": """\
widths : tuple of tuple of int
    Widths of the hidden layers, block by block; by default the paper's 4 of 1024, 3 of 512, 3 of
    256, 3 of 128, 2 of 64 and 1 of 32.

dropout : tuple of float, default=(0.2, 0.1, 0.3, 0.2)
    Dropout rates after the first blocks, rounded to multiples of 1/256.""",
    "elemnet_reference": """\
.. [1] Jha, D., Ward, L., Paul, A., Liao, W.-k., Choudhary, A., Wolverton, C. and Agrawal, A.,
   "ElemNet: deep learning the chemistry of materials from only elemental composition", Scientific
   Reports 8, 17593 (2018). https://doi.org/10.1038/s41598-018-35934-y""",
    "training": """\
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

fraction_noise : float, default=0.02
    Standard deviation of the relative noise put on atomic fractions in training.

n_estimators : int, default=8
    Number of networks in the ensemble. They train side by side, as many at a time as torch has
    threads. A large network (the paper's) shares out each batch to up to four threads.

early_stopping : bool, default=False
    Whether to stop when the validation loss has not improved for `n_iter_no_change` epochs, and
    keep the weights of the best epoch.

validation_fraction : float, default=0.1
    Share of the compositions that is held out with ``early_stopping=True``, each with
    all of its samples, unless `fit` is given `X_val` and `y_val`.

n_iter_no_change : int, default=10
    Epochs without improvement that early stopping waits.""",
    "running": """\
init_from : estimator or path, default=None
    A fitted estimator of the same network, for regression or classification, or the path of one
    that `crabsk.save_model` wrote. The members start from its encoders; the heads that read off
    the target start afresh. Extra features must be the donor's, and keep its scale, unless it
    has none. In a warm start, the members that it adds are meant. It stays the same in clones of
    the estimator.

freeze : int, default=0
    Number of first epochs in which only what `init_from` did not give is trained.

checkpoint : path, default=None
    Folder in which `fit` notes the state of each member after every epoch. A fit that was killed
    and is called again, with the same parameters and samples, goes on from there and ends in the
    same networks as one that was not; a finished one is returned. Different fits, as those of a
    search, share the folder. With ``random_state=None`` the seed drawn first is kept. States of
    `callbacks` are not noted.

time_limit : float, default=None
    Seconds that `fit` may take. A few steps are timed before the training starts. If time is short,
    passes are saved, down to half, then members, then passes again; what is left is trained to
    the end of its schedule. How much that is depends on the machine: see `n_iter_` and `nets_`.
    Not with `checkpoint`.

missing : {"error", "mean", "zero"}, default="error"
    What to do about elements that the embedding lacks: refuse them, or give them the mean
    vector of the table, or zeros.

formula_column : "auto", str or int, default="auto"
    Which column of a table holds the formulas. "auto" finds it by its values.

device : str, default="auto"
    torch device to compute on. "auto" takes a CUDA GPU if there is one.

precision : {"float32", "bfloat16"}, default="float32"
    What matrices are multiplied in while training. "bfloat16" is faster for wide networks, such
    as the paper's, on processors and GPUs that have instructions for it, and slower elsewhere.
    Weights, their averages and predictions have single precision in either case.

progress : bool, default=False
    Whether to show progress bars on standard error: of the epochs in `fit`, and of the rows where
    `predict` takes seconds. Silent in the worker processes of a parallel search.

callbacks : list of skorch callbacks or (name, callback) pairs, default=None
    Shallow copies of them are handed to the net of each member, and kept in `callbacks_`. What
    they were made with (a list, an open file, a trial of Optuna) is shared. skorch's
    ``Checkpoint`` writes to a folder for each member, ``member0`` and so on, if there are several.

warm_start : bool, default=False
    Whether a further `fit` starts from the weights of the one before. If `n_estimators` was raised
    in between, the members that are there stay as they are, and new ones are added.

random_state : int, RandomState instance or None, default=None
    Decides initial weights, shuffling, noise, dropout and validation samples: the same seed
    gives the same model on the same machine. Global random states are left alone (None draws
    a seed from numpy's).""",
    "attributes": """\
nets_ : list of skorch.NeuralNet
    The fitted members; ``nets_[k].module_`` is the torch network.

history_ : list of list of dict
    For each member and epoch "train_loss", "valid_loss" (where there is validation data) and
    the duration in seconds, "dur". A regressor's losses are those of the standardised target; to
    the training loss, the plain ones have the likelihood added that teaches the uncertainty.

n_iter_ : int
    Number of passes over the training samples, that of the member with most.

callbacks_ : list of list of skorch callbacks
    The copies of `callbacks` that each member was trained with.

n_features_in_ : int
    Number of columns of X seen by `fit`; 1 for a sequence of formulas.

feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of the columns of X, if X was a DataFrame whose column names are all strings.

formula_position_ : int or None
    Position of the column of formulas; None for a matrix of element amounts.""",
    "classes": """\
classes_ : ndarray of shape (n_classes,)
    The classes, sorted; with several labels a sample the columns of y.""",
}
"""Text without the indentation of a class. A name in braces stands for it in a class docstring."""
