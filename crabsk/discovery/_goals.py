"""What is wanted of the next compound, and how much each candidate promises."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from .._text import few, shown
from .._validation import predicts_std
from ._acquisition import (
    expected_improvement,
    finite_number,
    probability_in_window,
    probability_of_improvement,
    upper_confidence_bound,
)
from ._answers import means_and_stds
from ._pareto import expected_hypervolume_improvement, pareto_front

Goal = str | tuple[float, float]
Score = Callable[[np.ndarray, np.ndarray | None], np.ndarray]

ACQUISITIONS = (
    "expected_improvement",
    "probability",
    "upper_confidence_bound",
    "mean",
    "expected_hypervolume_improvement",
)
# Those that ask by how much a candidate beats the best value.
_UPON_BEST = ("expected_improvement", "probability")


def read_goals(goal: Any) -> list[Goal]:
    """Return the goal of each target.

    Raises
    ------
    ValueError
        If one is neither "maximize" nor "minimize" nor a window.
    """
    goals = goal if isinstance(goal, list) else [goal]
    return [_read_goal(one) for one in goals]


def _read_goal(goal: Any) -> Goal:
    if isinstance(goal, str) and goal in ("maximize", "minimize"):
        return goal
    window = _read_window(goal, f"goal={shown(goal)}")
    if window is None:
        raise ValueError(
            f'goal={shown(goal)} must be "maximize", "minimize" or a window (low, high), such as '
            "(2.0, 3.0), or (2.0, np.inf) for 2.0 and more; for several targets, a list of these"
        )
    return window


def _read_window(window: Any, what: str) -> tuple[float, float] | None:
    """Return the ends of a window; None if it is none. `what` names it in messages."""
    if isinstance(window, str):
        return None
    try:
        low, high = (float(end) for end in window)
    except (TypeError, ValueError):
        return None
    if not low < high:
        raise ValueError(f"{what}: the low end of a window (low, high) must be below the high end")
    return low, high


class Scoring(NamedTuple):
    """What scores candidates.

    Parameters
    ----------
    score : function
        Of means and standard deviations, each of shape (n_samples, n_targets).
    needs_std : bool
        Whether it asks for the latter.
    name : str or None
        The acquisition; None for a function of the user's.
    upon : list
        Numbers that are to be improved upon: with name and goals, all that scores follow from.
    """

    score: Score
    needs_std: bool
    name: str | None
    upon: list


def improves(goals: list[Goal], acquisition: Any) -> bool:
    """Whether scores are of an improvement upon what is known.

    Parameters
    ----------
    goals : list
        What `read_goals` returned.
    acquisition : str, callable or None
        As in `screen`.
    """
    if acquisition is None:
        acquisition = _usual(goals)
    upon = (*_UPON_BEST, "expected_hypervolume_improvement")
    return acquisition in upon and any(isinstance(goal, str) for goal in goals)


def make_scoring(
    goals: list[Goal], acquisition: Any, y_known: np.ndarray | None, best: Any
) -> Scoring:
    """Return what scores candidates.

    Parameters
    ----------
    goals : list
        What `read_goals` returned.
    acquisition : str, callable or None
        As in `screen`.
    y_known : ndarray of shape (n_known, n_targets) or None
        Targets that are known.
    best : float or None
        What is to be improved upon, in place of the best of `y_known`.

    Raises
    ------
    ValueError
        If the acquisition does not fit the goals, or if what is to be improved upon is not known.
    """
    if acquisition is None:
        acquisition = _usual(goals)
    if not callable(acquisition) and acquisition not in ACQUISITIONS:
        raise ValueError(
            f"acquisition={shown(acquisition)} must be one of {few(ACQUISITIONS)}, or a function "
            "of means and standard deviations"
        )
    if best is not None:
        _check_best(goals, acquisition)
    if callable(acquisition):
        return Scoring(
            lambda mean, std: np.asarray(acquisition(_squeezed(mean), _squeezed(std)), dtype=float),
            needs_std=True,
            name=None,
            upon=[],
        )
    if acquisition == "expected_hypervolume_improvement":
        return _by_hypervolume(goals, y_known)
    if acquisition == "probability":
        return _by_probability(goals, y_known, best)
    if len(goals) > 1:
        raise ValueError(
            f'acquisition="{acquisition}" is of one target, and there are {len(goals)} goals: '
            'take "expected_hypervolume_improvement" or "probability"'
        )
    (goal,) = goals
    if acquisition == "mean":
        return Scoring(lambda mean, _: _nearness(goal, mean[:, 0]), False, "mean", [])
    if not isinstance(goal, str):
        raise ValueError(f'acquisition="{acquisition}" has no window: take "probability"')
    maximize = goal == "maximize"
    if acquisition == "upper_confidence_bound":
        return Scoring(
            lambda mean, std: upper_confidence_bound(*_one(mean, std), maximize=maximize),
            needs_std=True,
            name=acquisition,
            upon=[],
        )
    incumbent = _incumbents(goals, y_known, best)[0]
    return Scoring(
        lambda mean, std: expected_improvement(*_one(mean, std), incumbent, maximize=maximize),
        needs_std=True,
        name=acquisition,
        upon=[incumbent],
    )


def _usual(goals: list[Goal]) -> str:
    if any(not isinstance(goal, str) for goal in goals):
        return "probability"
    return "expected_improvement" if len(goals) == 1 else "expected_hypervolume_improvement"


def _check_best(goals: list[Goal], acquisition: Any) -> None:
    """Refuse a best value that nothing would ask for."""
    if len(goals) > 1:
        raise ValueError("best= is of one target: pass X_known and y_known for several goals")
    if not improves(goals, acquisition):
        user = f"acquisition={shown(acquisition)}" if isinstance(goals[0], str) else "a window"
        raise ValueError(
            f"{user} does not use best=, which is what is to be improved upon: leave it out, or "
            'take a goal "maximize" or "minimize" and acquisition="expected_improvement"'
        )


def _by_hypervolume(goals: list[Goal], y_known: np.ndarray | None) -> Scoring:
    if len(goals) < 2 or any(not isinstance(goal, str) for goal in goals):
        raise ValueError(
            'acquisition="expected_hypervolume_improvement" needs two or more goals, each '
            '"maximize" or "minimize"'
        )
    if y_known is None:
        raise ValueError(
            'acquisition="expected_hypervolume_improvement" improves upon what is known: pass '
            "X_known and y_known"
        )
    maximize = [goal == "maximize" for goal in goals]
    worst = np.where(maximize, y_known.min(axis=0), y_known.max(axis=0))
    front = np.unique(y_known[pareto_front(y_known, maximize=maximize)], axis=0)

    def score(mean: np.ndarray, std: np.ndarray | None) -> np.ndarray:
        assert std is not None
        return expected_hypervolume_improvement(mean, std, front, worst, maximize=maximize)

    upon = [front.tolist(), worst.tolist()]
    return Scoring(score, True, "expected_hypervolume_improvement", upon)


def _by_probability(goals: list[Goal], y_known: np.ndarray | None, best: Any) -> Scoring:
    incumbents = _incumbents(goals, y_known, best)

    def score(mean: np.ndarray, std: np.ndarray | None) -> np.ndarray:
        assert std is not None
        product = np.ones(len(mean))
        for k, goal in enumerate(goals):
            own = mean[:, k], std[:, k]
            if isinstance(goal, str):
                sense = goal == "maximize"
                product *= probability_of_improvement(*own, incumbents[k], maximize=sense)
            else:
                product *= probability_in_window(*own, *goal)
        return product

    upon = [one for one, goal in zip(incumbents, goals, strict=True) if isinstance(goal, str)]
    return Scoring(score, True, "probability", upon)


def _incumbents(goals: list[Goal], y_known: np.ndarray | None, best: Any) -> list[float]:
    """Return what each target is to improve upon; NaN for a window."""
    senses = [goal for goal in goals if isinstance(goal, str)]
    if best is not None:
        return [finite_number(best, "best")]
    if senses and y_known is None:
        raise ValueError(
            "improvement upon what? Pass X_known and y_known, whose best it is, or best="
        )
    found = []
    for k, goal in enumerate(goals):
        if y_known is None or not isinstance(goal, str):
            found.append(np.nan)
        else:
            column = y_known[:, k]
            found.append(float(column.max() if goal == "maximize" else column.min()))
    return found


def _nearness(goal: Goal, mean: np.ndarray) -> np.ndarray:
    """Return the mean, so that more is better; for a window how far in from the nearer end."""
    if isinstance(goal, str):
        return mean if goal == "maximize" else -mean
    return np.minimum(mean - goal[0], goal[1] - mean)


def _one(mean: np.ndarray, std: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    assert std is not None
    return mean[:, 0], std[:, 0]


def _squeezed(values: np.ndarray | None) -> np.ndarray | None:
    return values[:, 0] if values is not None and values.shape[1] == 1 else values


class Constraint:
    """What a second model must say of a candidate.

    Parameters
    ----------
    model : classifier, or regressor with standard deviations
        What is asked.
    wanted : class, or (low, high)
        The class that a candidate must have, or the window that its value must lie in.

    Raises
    ------
    ValueError
        If the classifier does not know the class, or the window is none.
    TypeError
        If the regressor has no standard deviations.
    """

    def __init__(self, model: Any, wanted: Any) -> None:
        self.model = model
        self.wanted: str | tuple[float, float]
        if not hasattr(model, "predict"):
            raise ValueError(
                f"constraints: {shown(model)} must be a fitted classifier, or a fitted regressor "
                "with standard deviations"
            )
        if is_classifier(model):
            check_is_fitted(model)
            known = model.classes_.tolist()
            if wanted not in known:
                raise ValueError(
                    f"constraints: {shown(wanted)} is no class of {type(model).__name__}, which "
                    f"knows {few(known)}"
                )
            self.wanted, self.column = str(wanted), known.index(wanted)
            return
        if not predicts_std(model):
            raise TypeError(
                f"constraints: predict of {type(model).__name__} has no return_std: take a "
                "regressor that predicts standard deviations, or a classifier"
            )
        window = _read_window(wanted, f"constraints: {shown(wanted)}")
        if window is None:
            raise ValueError(
                f"constraints: {type(model).__name__} is a regressor, which must be held to a "
                f"window (low, high), such as (0.0, 0.1) or (0.0, np.inf), and not to "
                f"{shown(wanted)}"
            )
        self.wanted = window

    def answers(self, X: Any) -> np.ndarray:
        """Return what the model says of each row: probabilities of classes, or mean and std."""
        if is_classifier(self.model):
            return self.model.predict_proba(X)
        mean, std = means_and_stds(self.model, X)
        if mean.shape[1] != 1:
            raise ValueError(
                f"constraints: {type(self.model).__name__} predicts {mean.shape[1]} targets: take "
                "a model of the one that the window is for"
            )
        return np.hstack([mean, std])

    def probability(self, answers: np.ndarray) -> np.ndarray:
        """Return how likely it is to be met, after what the model says."""
        if isinstance(self.wanted, str):
            return answers[:, self.column]
        mean, std = answers.T
        return probability_in_window(mean, std, *self.wanted)


def read_constraints(constraints: Sequence) -> list[Constraint]:
    """Return the constraints of pairs (model, what is wanted)."""
    try:
        pairs = [(model, wanted) for model, wanted in constraints]
    except (TypeError, ValueError) as error:
        raise ValueError(
            "constraints must be pairs of a fitted model and what it must say: "
            '[(classifier, "stable"), (regressor, (0.0, 0.1))]'
        ) from error
    return [Constraint(model, wanted) for model, wanted in pairs]
