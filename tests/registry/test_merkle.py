"""The tree of a history, held to the vectors that Certificate Transparency published."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from registry import merkle

# google/certificate-transparency, merkletree/merkle_tree_test.cc (leaves, roots, paths and snapshots; Apache-2.0)
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
FIRST_TWO = ROOTS[1]
THIRD = "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7"
FIFTH = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
SECOND = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
THIRD_TWO = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
FIFTH_TWO = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
LAST_TWO = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
LAST_FOUR = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
SEVENTH = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f"
PATHS = [  # place from 0, size, hashes
    (0, 1, []),
    (0, 8, [SECOND, THIRD_TWO, LAST_FOUR]),
    (5, 8, [FIFTH, LAST_TWO, ROOTS[3]]),
    (2, 3, [FIRST_TWO]),
    (1, 5, [ROOTS[0], THIRD_TWO, FIFTH]),
]
CONSISTENT = [
    (1, 1, []),
    (1, 8, [SECOND, THIRD_TWO, LAST_FOUR]),
    (6, 8, [FIFTH_TWO, LAST_TWO, ROOTS[3]]),
    (2, 5, [THIRD_TWO, FIFTH]),
]


def _content(count: int = 8) -> list[bytes]:
    return [bytes.fromhex(each) for each in LEAVES[:count]]


def _root(leaves: list[bytes]) -> bytes:
    return merkle.of_leaves(leaves)(0, len(leaves))


def _hex(hashes: list[bytes]) -> list[str]:
    return [each.hex() for each in hashes]


def test_roots_are_those_published() -> None:
    assert merkle.EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert [_root(_content(count)).hex() for count in range(1, 9)] == ROOTS
    assert merkle.leaf(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    assert merkle.node(b"N123", b"N456").hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"


@pytest.mark.parametrize(("place", "size", "hashes"), PATHS)
def test_a_proof_of_inclusion_is_that_published_and_leads_to_the_root(place, size, hashes) -> None:
    proof = merkle.inclusion(place, size, merkle.of_leaves(_content()))
    assert _hex(proof) == hashes
    assert merkle.root_by(place, size, _content()[place], proof).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("first", "second", "hashes"), CONSISTENT)
def test_a_proof_of_consistency_is_that_published_and_leads_to_both_roots(first, second, hashes) -> None:
    proof = merkle.consistency(first, second, merkle.of_leaves(_content()))
    assert _hex(proof) == hashes
    one, two = merkle.roots_by(first, second, bytes.fromhex(ROOTS[first - 1]), proof)
    assert (one.hex(), two.hex()) == (ROOTS[first - 1], ROOTS[second - 1])


def test_every_proof_of_every_tree_up_to_33_leaves_holds_and_no_changed_one_does() -> None:
    chance, leaves = random.Random(7), [bytes([each]) for each in range(33)]
    of = merkle.of_leaves(leaves)
    for size in range(1, 34):
        root = of(0, size)
        for place in range(size):
            proof = merkle.inclusion(place, size, of)
            assert merkle.root_by(place, size, leaves[place], proof) == root
            assert merkle.root_by(place, size, b"other", proof) != root
            assert merkle.root_by(place, size, leaves[place], [*proof, root]) is None
            if proof:
                assert merkle.root_by(place, size, leaves[place], proof[1:]) is None
                assert merkle.root_by(place, size, leaves[place], _spoilt(proof, chance)) != root
        for first in range(1, size + 1):
            proof = merkle.consistency(first, size, of)
            assert merkle.roots_by(first, size, of(0, first), proof) == (of(0, first), root)
            assert merkle.roots_by(first, size, of(0, first), [*proof, root]) is None
            if proof:
                assert merkle.roots_by(first, size, of(0, first), _spoilt(proof, chance)) != (of(0, first), root)


def _spoilt(proof: list[bytes], chance: random.Random) -> list[bytes]:
    place = chance.randrange(len(proof))
    return [merkle.leaf(each) if number == place else each for number, each in enumerate(proof)]


def test_a_tree_goes_on_from_its_peaks_alone_and_knows_which_leaves_each_holds() -> None:
    leaves = [bytes([each]) for each in range(100)]
    of, grown = merkle.of_leaves(leaves), merkle.Frontier()
    for size, content in enumerate(leaves, start=1):
        grown = merkle.Frontier(grown.size, grown.peaks)
        grown.add(content)
        assert grown.root() == of(0, size)
        subtrees = grown.subtrees()
        assert all(of(*span) == peak for span, peak in subtrees.items())
        bounds = [0, *(high for _, high in subtrees)]
        assert list(pairwise(bounds)) == list(subtrees) and bounds[-1] == size


def test_peaks_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="a tree of 3 leaves has 2 peaks"):
        merkle.Frontier(3, [merkle.EMPTY])
    for place, size in ((0, 0), (3, 3), (-1, 3)):
        with pytest.raises(ValueError, match="has no leaf"):
            merkle.inclusion(place, size, merkle.of_leaves(_content()))
