"""Shapley values from few coalitions: a regression on the odd terms of a game, over coalitions drawn in pairs.

With s = +1 for a player that is shown and -1 for a hidden one, a game is a sum of products over sets of players, and
only sets of odd size carry Shapley values. A coalition z and its complement give the odd part alone, y = (v(z) - v(~z))
/ 2, to which main effects and products of three and of five are fitted: y = sum b_i s_i + sum c_T s_T, and then
phi_i = 2 (b_i + sum over T with i of c_T / |T|). Pairs do not disturb it, and no set needs coalitions of its own.

- KernelSHAP, the weights (P - 1) / (C(P, k) k (P - k)): Lundberg and Lee 2017, arXiv:1705.07874, theorem 2.
- Paired sampling: Covert and Lee 2021, arXiv:2012.01536. Leverage scores, which give every size the same share, and
  sampling without replacement: Musco and Witter 2025, arXiv:2410.01917. Odd terms alone: OddSHAP, 2026.
- Products are held by a ridge in its dual form (Saunders, Gammerman and Vovk 1998), one kernel instead of a column a
  set, and more where their players matter little: strong heredity (Chipman 1996, doi 10.2307/3315687).
- Errors: the jackknife (Efron and Stein 1981, doi 10.1214/aos/1176345462) with the finite-population correction of
  Cochran 1977, section 2.6, since what is enumerated whole could not have come out otherwise.

Main effects are not held: the answer is exact once all coalitions are asked, whatever the products say.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from tasks.task import FloatArray

RIDGES = {3: 1.0, 5: 10.0}  # of the products of so many players, where the weights of the pairs sum to one
HEREDITY = 0.5  # power of a player's main effect to which its products are expected
LEAST_EFFECT = 0.1  # of the mean main effect, of who seems to have none
LEAST_RIDGE = 1e-10  # of main effects: only what fewer pairs than players leave open is decided by it
TINY = 1e-300
LISTED = 4096  # coalitions of one size that are written out before some are picked


@dataclass(frozen=True)
class Fit:
    """Values (players, width); `spread` (pairs, players, width), whose squares sum to the squared standard errors.

    `free` are the pairs beyond the main effects: the degrees of freedom of the errors.
    """

    values: FloatArray
    spread: FloatArray
    free: int


def draw(players: int, pairs: int, random: np.random.Generator) -> tuple[NDArray[np.bool_], FloatArray]:
    """Coalitions (m, players), no two of them equal or complements, and how probable each was to be drawn (m,).

    Sizes k and P - k share one pair each; every size up to P / 2 gets the same number of pairs (the middle one half of
    it, since its coalitions are each other's complements) or all that it has. m is `pairs`, or within one of it.
    """
    sizes = range(1, players // 2 + 1)
    middle = {size: 2 * size == players for size in sizes}
    there = {size: comb(players, size) // (1 + middle[size]) for size in sizes}
    share = _share(there, middle, pairs)
    found, probability = [], []
    carried = random.random()  # systematic rounding: shares come out whole, and their sum stays
    for size in sizes:
        carried += share[size]
        count, carried = int(carried), carried % 1.0
        count = min(count, there[size])
        found += _of_size(players, size, count, middle[size], random)
        probability += [min(1.0, share[size] / there[size])] * count
    return np.array(found, dtype=np.bool_).reshape(-1, players), np.array(probability)


def fit(z: NDArray[np.bool_], odd: FloatArray, probability: FloatArray, whole: FloatArray) -> Fit:
    """The Shapley values of a game from pairs of coalitions, with what leaving each pair out would change.

    z (m, players); odd (m, width), half of v(z) - v(~z); whole (width,), half of v(all) - v(none): met exactly.
    """
    pairs, players = z.shape
    sizes = z.sum(axis=1)
    weight = np.array([1.0 / (comb(players, int(k)) * k * (players - k)) for k in sizes]) / probability
    signs = np.vstack([np.where(z, 1.0, -1.0), np.ones(players)])
    slack = np.append(weight.sum() / weight, 0.0)  # none for the pair of all and none
    free = np.sqrt((1.0 - probability) * (pairs - 1) / pairs)
    told = np.vstack([odd, whole])
    main = np.abs(_solve(signs, told, slack, np.ones(players))[1])
    effects = main + np.maximum(LEAST_EFFECT * main.mean(axis=0), TINY)
    found = [
        _solve(signs, told[:, [at]], slack, (effect / effect.mean()) ** HEREDITY) for at, effect in enumerate(effects.T)
    ]
    changes = np.concatenate([change[:pairs] for _, _, change in found], axis=2) * free[:, None, None]
    return Fit(np.concatenate([values for values, _, _ in found], axis=1), changes, max(1, pairs - players))


def _solve(
    signs: FloatArray, told: FloatArray, slack: FloatArray, strength: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Values and main effects (players, width), and what deleting each row changes (rows, players, width).

    signs (rows, players), and what the game says there, told (rows, width); slack (rows,), how far a row may miss it;
    strength (players,), how large products with a player are expected to be.
    """
    rows, players = signs.shape
    strength = strength / np.cbrt((strength**3).mean())
    kernel = _products(signs, strength) + np.diag(slack)
    bordered = np.block([[kernel, signs], [signs.T, -LEAST_RIDGE * np.eye(players)]])
    inverse = np.linalg.inv(bordered)
    dual = inverse[:, :rows] @ told
    reader = 2.0 * np.hstack([_shares(signs * strength), np.eye(players)])
    # Deleting one row of a symmetric system changes its solution by the row's column of the inverse, scaled.
    scale = dual[:rows] / np.maximum(np.diagonal(inverse)[:rows], TINY)[:, None]
    changes = (reader @ inverse[:, :rows]).T[:, :, None] * scale[:, None, :]
    return reader @ dual, dual[rows:], changes


def _share(there: dict[int, int], middle: dict[int, bool], pairs: int) -> dict[int, float]:
    """How many pairs each size gets: the same for all, at most what there are."""
    low, high = 0.0, float(max(there.values(), default=0) * 2)
    for _ in range(100):
        even = (low + high) / 2
        if sum(min(there[k], even / (1 + middle[k])) for k in there) < pairs:
            low = even
        else:
            high = even
    return {k: min(float(there[k]), high / (1 + middle[k])) for k in there}


def _of_size(players: int, size: int, count: int, middle: bool, random: np.random.Generator) -> list[NDArray[np.bool_]]:
    """`count` different coalitions of a size, as rows; of the middle size those that hold the first player."""
    total = comb(players, size) // (1 + middle)
    if total <= LISTED:
        listed = [c for c in combinations(range(players), size) if not middle or c[0] == 0]
        chosen = [listed[place] for place in random.permutation(total)[:count]]
    else:
        seen: set[tuple[int, ...]] = set()
        while len(seen) < count:
            order = random.permutation(players)
            half = order[:size] if not middle or 0 in order[:size] else order[size:]
            seen.add(tuple(sorted(half.tolist())))
        chosen = sorted(seen)
    return [np.isin(np.arange(players), c) for c in chosen]


def _products(signs: FloatArray, strength: FloatArray) -> FloatArray:
    """(rows, rows) the products of two rows each, summed over the sets of three and of five, divided by their ridges.

    Elementary symmetric polynomials of the numbers strength * sign * sign by Newton's identities: their even powers
    know no sign, their odd ones are products of matrices.
    """
    first, third, fifth = ((signs * strength**power) @ signs.T for power in (1, 3, 5))
    second, fourth = ((strength**power).sum() for power in (2, 4))
    threes = (first**3 - 3 * first * second + 2 * third) / 6
    fives = first**5 - 10 * first**3 * second + 15 * first * second**2 + 20 * first**2 * third
    fives = (fives - 20 * second * third - 30 * first * fourth + 24 * fifth) / 120
    return np.asarray(threes / RIDGES[3] + fives / RIDGES[5])


def _shares(scaled: FloatArray) -> FloatArray:
    """(players, rows) the products over the sets that hold a player, its share of each, divided by their ridge."""
    found = np.zeros(scaled.T.shape)
    for player in range(scaled.shape[1]):
        others = _sums(np.delete(scaled, player, axis=1), max(RIDGES) - 1)
        for size, ridge in RIDGES.items():
            found[player] += scaled[:, player] * others[size - 1] / (size * ridge)
    return found


def _sums(numbers: FloatArray, most: int) -> list[FloatArray]:
    """The elementary symmetric polynomials of orders 0 to `most` over the last axis."""
    found = [np.ones(numbers.shape[:-1]), *(np.zeros(numbers.shape[:-1]) for _ in range(most))]
    for number in np.moveaxis(numbers, -1, 0):
        for order in range(most, 0, -1):
            found[order] = found[order] + number * found[order - 1]
    return found
