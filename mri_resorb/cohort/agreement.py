"""How well two sets of readings of the same cases agree, in the field's standard figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from mri_resorb.cohort.read import Case
from mri_resorb.model import Estimate

Figure = Literal["baseline_cm3", "follow_up_cm3", "resorption_percent"]

FIGURES: Mapping[Figure, Callable[[Case], float | None]] = {
    "baseline_cm3": lambda case: case.baseline_cm3,
    "follow_up_cm3": lambda case: case.follow_up_cm3,
    "resorption_percent": lambda case: case.resorption_percent,
}
FEWEST_PAIRS = 3
"""With fewer no limits of agreement can be given."""
_Z = 1.96


@dataclass(frozen=True)
class BlandAltman:
    """Differences a - b of two readings of the same things.

    The limits are mean ± 1.96 SD; intervals by t on n - 1 degrees, the limits' from the variance
    s² (1/n + 1.96² / 2 (n - 1)) (Bland and Altman, Stat Methods Med Res 8:135, 1999). With fewer
    than about 30 pairs the limits' intervals are approximate.
    """

    bias: Estimate
    standard_deviation: float
    lower_limit: Estimate
    upper_limit: Estimate


@dataclass(frozen=True)
class Agreement:
    """Two sets of readings of one figure; all in the figure's own unit but the ICCs.

    Attributes:
        a, b: the pairs, in the order of `names`.
        icc_agreement: ICC(A,1): a constant difference between the sets counts as error.
        icc_consistency: ICC(C,1): it does not. None, both, where the cases do not differ.
        repeatability_coefficient: 1.96 √2 s_w with s_w² = Σ (a - b)² / 2n: how far two readings of
            one thing lie apart at most, 95 % of the time, a constant difference included.
        smallest_detectable_change: 1.96 SD of the differences: a change between two readings of one
            set must be larger to be more than error; a constant difference cancels in it
            (de Vet et al., J Clin Epidemiol 59:1033, 2006). Intervals by chi-squared.
    """

    figure: Figure
    names: tuple[str, ...]
    a: tuple[float, ...]
    b: tuple[float, ...]
    bland_altman: BlandAltman
    icc_agreement: Estimate | None
    icc_consistency: Estimate | None
    repeatability_coefficient: Estimate
    smallest_detectable_change: Estimate


@dataclass(frozen=True)
class Comparison:
    """Two sets of results compared.

    Attributes:
        agreements: one for each figure that at least three cases have in both sets.
        same_verdict, verdicts: how many of the cases with a verdict in both sets have the same.
        only_in_a, only_in_b: names of the cases that the other set lacks.
    """

    cases: int
    agreements: tuple[Agreement, ...]
    same_verdict: int
    verdicts: int
    only_in_a: tuple[str, ...]
    only_in_b: tuple[str, ...]


def compare(a: Sequence[Case], b: Sequence[Case]) -> Comparison:
    """Compare the cases that both sets hold, matched by name."""
    first, second = ({case.name: case for case in cases} for cases in (a, b))
    names = sorted(first.keys() & second.keys())
    judged = [n for n in names if first[n].is_determined and second[n].is_determined]
    made = (_agreement(first, second, names=names, figure=figure) for figure in FIGURES)
    return Comparison(
        cases=len(names),
        agreements=tuple(agreement for agreement in made if agreement is not None),
        same_verdict=sum(first[name].verdict == second[name].verdict for name in judged),
        verdicts=len(judged),
        only_in_a=tuple(sorted(first.keys() - second.keys())),
        only_in_b=tuple(sorted(second.keys() - first.keys())),
    )


def bland_altman(a: npt.ArrayLike, b: npt.ArrayLike) -> BlandAltman:
    """Bias and limits of agreement of a - b, each with its 95 % interval; at least 3 pairs."""
    difference = np.asarray(a, float) - np.asarray(b, float)
    n = len(difference)
    bias, sd = float(difference.mean()), float(difference.std(ddof=1))
    t = float(stats.t.ppf(0.975, n - 1))
    of_bias = t * sd / sqrt(n)
    of_limit = t * sd * sqrt(1 / n + _Z**2 / (2 * (n - 1)))
    lower, upper = bias - _Z * sd, bias + _Z * sd
    return BlandAltman(
        bias=Estimate(bias, bias - of_bias, bias + of_bias),
        standard_deviation=sd,
        lower_limit=Estimate(lower, lower - of_limit, lower + of_limit),
        upper_limit=Estimate(upper, upper - of_limit, upper + of_limit),
    )


def intraclass_correlations(ratings: npt.ArrayLike) -> tuple[Estimate, Estimate] | None:
    """ICC(A,1) and ICC(C,1) with 95 % intervals, two-way model (McGraw and Wong 1996).

    Psychological Methods 1:30, tables 4 and 7; they are Shrout and Fleiss's (2,1) and (3,1).

    Args:
        ratings: (subjects, readings), at least 2 x 2, without gaps.

    Returns:
        None where the subjects do not differ at all, so that there is no correlation.
    """
    x = np.asarray(ratings, float)
    n, k = x.shape
    grand, of_subject, of_reading = x.mean(), x.mean(axis=1), x.mean(axis=0)
    subjects = k * float(((of_subject - grand) ** 2).sum()) / (n - 1)
    readings = n * float(((of_reading - grand) ** 2).sum()) / (k - 1)
    residual = x - of_subject[:, None] - of_reading[None, :] + grand
    error = float((residual**2).sum()) / ((n - 1) * (k - 1))
    scale = float((x**2).max()) or 1.0
    if max(subjects, error) <= 1e-20 * scale:
        return None
    if error <= 1e-20 * scale:
        error = 0.0
    return (
        _agreement_icc(n=n, k=k, subjects=subjects, readings=readings, error=error),
        _consistency_icc(n=n, k=k, subjects=subjects, error=error),
    )


def _consistency_icc(*, n: int, k: int, subjects: float, error: float) -> Estimate:
    if error == 0:
        return Estimate(1.0, 1.0, 1.0)
    ratio = subjects / error
    between, within = n - 1, (n - 1) * (k - 1)
    low = ratio / float(stats.f.ppf(0.975, between, within))
    high = ratio * float(stats.f.ppf(0.975, within, between))
    value, low, high = ((f - 1) / (f + k - 1) for f in (ratio, low, high))
    return Estimate(value, low, high)


def _agreement_icc(*, n: int, k: int, subjects: float, readings: float, error: float) -> Estimate:
    value = (subjects - error) / (subjects + (k - 1) * error + k * (readings - error) / n)
    if error == 0 and readings == 0:
        return Estimate(1.0, 1.0, 1.0)
    if value >= 1:  # rounding
        return Estimate(1.0, 1.0, 1.0)
    weight_readings = k * value / (n * (1 - value))
    weight_error = 1 + k * value * (n - 1) / (n * (1 - value))
    mixed = weight_readings * readings + weight_error * error
    freedom = mixed**2 / (
        (weight_readings * readings) ** 2 / (k - 1)
        + (weight_error * error) ** 2 / ((n - 1) * (k - 1))
    )
    spread = k * readings + (k * n - k - n) * error
    f_low = float(stats.f.ppf(0.975, n - 1, freedom))
    f_high = float(stats.f.ppf(0.975, freedom, n - 1))
    low = n * (subjects - f_low * error) / (f_low * spread + n * subjects)
    high = n * (f_high * subjects - error) / (spread + n * f_high * subjects)
    return Estimate(value, min(low, value), max(high, value))


def _agreement(
    first: Mapping[str, Case],
    second: Mapping[str, Case],
    *,
    names: Sequence[str],
    figure: Figure,
) -> Agreement | None:
    read = FIGURES[figure]
    both = [(name, read(first[name]), read(second[name])) for name in names]
    pairs = [(name, x, y) for name, x, y in both if x is not None and y is not None]
    if len(pairs) < FEWEST_PAIRS:
        return None
    known, a, b = zip(*pairs, strict=True)
    difference = np.asarray(a) - np.asarray(b)
    correlations = intraclass_correlations(np.column_stack([a, b]))
    n = len(pairs)
    return Agreement(
        figure=figure,
        names=known,
        a=a,
        b=b,
        bland_altman=bland_altman(a, b),
        icc_agreement=correlations[0] if correlations else None,
        icc_consistency=correlations[1] if correlations else None,
        repeatability_coefficient=_spread(_Z * sqrt(float((difference**2).mean())), freedom=n),
        smallest_detectable_change=_spread(_Z * float(difference.std(ddof=1)), freedom=n - 1),
    )


def _spread(value: float, *, freedom: int) -> Estimate:
    low, high = (value * sqrt(freedom / float(stats.chi2.ppf(p, freedom))) for p in (0.975, 0.025))
    return Estimate(value, low, high)
