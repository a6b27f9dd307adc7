"""Estimators for text on the real heads: evaluations for an error, beside shap's; seconds of both; the body's rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.parts.attributions import Ground
from interpret.attribution.game import Game, game_between
from interpret.attribution.players import WORD, Player, text_players
from interpret.attribution.shapley import attribute, shap_uncompiled
from interpret.attribution.study import of_text
from interpret.section import ExplainSection
from tasks import get
from tasks.backbone import tokenizer
from tasks.model import forward
from tasks.model.merged import pooled_merged
from tasks.model.model import Model
from tasks.task import FloatArray, Inputs
from tasks.validate.pairs import from_all

TEXTS = ("sentiment", "compliance")
SEEDS = 5
GAMES = {10: {"sentiment": 8, "compliance": 5}, 12: {"sentiment": 4, "compliance": 2}}
BARS = {10: (0.05, 110), 12: (0.04, 240)}  # players -> relative L1 error, and evaluations that it may take
SHORT, DOCUMENTS = 13, 2  # tokens of a document whose coalitions of tokens can all be asked, and how many such
SECTION = ExplainSection(text_budget=256)
ONLINE = 40  # tokens
LONGEST = 4096  # evaluations until which an online explanation goes on


@dataclass(frozen=True)
class Table:
    """A game whose coalitions have all been asked: the game over what is known, its exact values, the output."""

    game: Game
    exact: FloatArray
    output: int


def evaluations(ground: Ground) -> Iterator[dict[str, Any]]:
    """How many evaluations an error takes, beside shap's permutations; and how often our intervals hold the truth."""
    for players, (bar, most) in BARS.items():
        tables = [table for name in TEXTS for table in _tables(ground, name, players)]
        ours, peer = _needed(tables, bar, _ours), _needed(tables, bar, _permutation)
        at_most = np.mean([_ours(table, most, seed)[:2] for table in tables for seed in range(SEEDS)], axis=0)
        yield {
            "case": f"evaluations_p{players}", "ours": ours, "peer": peer, "peer_name": "shap Permutation",
            "ratio": peer / ours, "unit": f"evaluations for relative L1 {bar}", "games": len(tables),
            "error_at_most": at_most[0], "coverage": at_most[1], "pass": ours <= most,
        }  # fmt: skip


def _tables(ground: Ground, name: str, players: int) -> Iterator[Table]:
    """Test texts that are cut into so many phrases, drawn at random."""
    task, model, texts = get(name), ground.model(name), ground.part(name).inputs.text or ()
    left = min(ground.rows, GAMES[players][name])
    for place in np.random.default_rng(0).permutation(len(texts)).tolist():
        cut = text_players(texts[place], players)
        if left and len(cut) == players:
            left -= 1
            row = Inputs(np.arange(1), text=(texts[place],))
            yield _table(game_between(task, cut, row, None, lambda inputs: forward.raw(model, name, inputs)))


def _table(game: Game) -> Table:
    """Ask every coalition once; the game that comes back only looks up."""
    count = len(game.players)
    shown = (np.arange(2**count)[:, None] >> np.arange(count) & 1).astype(bool)
    spans = [player.span for player in game.players]
    hidden = [tuple(span for span, here in zip(spans, row, strict=True) if not here) for row in shown.tolist()]
    rows = game.row.take(np.zeros(len(hidden), dtype=np.int64))
    asked = Inputs(rows.owner, text=rows.text, hidden=tuple(hidden))
    known = dict(zip(hidden, np.asarray(game.raw(asked)), strict=True))
    told = Game(game.players, game.row, None, lambda inputs: np.stack([known[spans] for spans in inputs.hidden or ()]))
    output = int(np.argmax(known[()]))
    return Table(told, from_all(np.array([known[spans] for spans in hidden])), output)


def _ours(table: Table, budget: int, seed: int) -> tuple[float, float, int]:
    """Relative L1 error, share of the players whose interval holds the truth, and evaluations."""
    found, at = attribute(table.game, table.output, budget, 0.0, seed), table.output
    gap = np.abs(found.values - table.exact)[:, at]
    return _error(gap, table), float((gap <= found.reach[:, at]).mean()), found.evaluations


def _permutation(table: Table, budget: int, seed: int) -> tuple[float, float, int]:
    """The same by shap's Permutation explainer; it gives no interval."""
    shap, count, seen = shap_uncompiled(), len(table.game.players), set[bytes]()
    spans = [player.span for player in table.game.players]

    def answer(z: FloatArray) -> FloatArray:
        seen.update(row.astype(bool).tobytes() for row in z)
        hidden = tuple(tuple(s for s, here in zip(spans, row, strict=True) if here < 0.5) for row in z)
        return table.game.raw(Inputs(np.arange(len(z)), hidden=hidden))

    explainer = shap.explainers.Permutation(answer, shap.maskers.Independent(np.zeros((1, count))), seed=seed)
    each = 2 * count + 1
    found = explainer(np.ones((1, count)), max_evals=each * max(1, round(budget / (2 * count))), silent=True)
    values = np.asarray(found.values, dtype=np.float64).reshape(count, -1)[:, table.output]
    return _error(np.abs(values - table.exact[:, table.output]), table), 0.0, len(seen)


def _error(gap: FloatArray, table: Table) -> float:
    return float(gap.sum() / np.abs(table.exact[:, table.output]).sum())


def _needed(tables: list[Table], bar: float, way: Callable[[Table, int, int], tuple[float, float, int]]) -> float:
    """The mean number of evaluations of the smallest budget whose mean error is within the bar."""
    players = len(tables[0].game.players)
    for budget in range(4 * players, 2**players, players):
        found = np.mean([way(table, budget, seed) for table in tables for seed in range(SEEDS)], axis=0)
        if found[0] <= bar:
            return float(found[2])
    return float(2**players)


def shap_text(ground: Ground) -> Iterator[dict[str, Any]]:
    """Both text tasks of one document: shap.Explainer(maskers.Text) as it comes, and ours at the same error."""
    model = ground.model(*TEXTS)
    texts = ground.part("sentiment").inputs.text or ()
    lengths = [len(ids) for ids in tokenizer.encode(model.tokenizer, texts).ids]
    order = [place for place in np.argsort(lengths, kind="stable").tolist() if lengths[place] > SHORT // 2 + 2]
    found = [_document(model, texts[place]) for place in order[:DOCUMENTS]]
    peer, ours = (float(sum(each[key] for each in found)) for key in ("peer", "ours"))
    asked, needed = (sum(each[key] for each in found) for key in ("peer_answers", "answers"))
    yield {
        "case": "all_text_tasks", "ours": ours, "peer": peer, "peer_name": "shap.Explainer(maskers.Text)",
        "ratio": peer / ours, "unit": "processor seconds", "documents": found, "answers_ratio": asked / needed,
        "pass": peer / ours >= 12,
    }  # fmt: skip


def _document(model: Model, text: str) -> dict[str, Any]:
    """One document: shap task by task, with its error against all coalitions of its own tokens; then both, together.

    An answer is one masked text answered for one task: a count that no other work on the machine changes.
    """
    asked = [_shap_of(model, name, text) for name in TEXTS]
    peer, errors = sum(each.seconds for each in asked), [each.error for each in asked]
    starts = [0, get(TEXTS[0]).head.width]
    outputs = [start + each.output for start, each in zip(starts, asked, strict=True)]
    players = tuple(
        Player(text[slice(*m.span())], "text", span=m.span(), hides=(m.span(),)) for m in WORD.finditer(text)
    )
    row = Inputs(np.arange(1), text=(text,))
    game = game_between(get(TEXTS[0]), players, row, None, lambda inputs: forward.raw_many(model, TEXTS, inputs))
    table = _table(game)
    budget = next(b for b in range(24, 2 ** len(players), 4) if _as_good(table, b, outputs, errors))
    began = time.process_time()
    for seed in range(SEEDS):  # the game itself, so that the body's passes are counted
        attribute(game, 0, budget, 0.0, seed)
    ours = (time.process_time() - began) / SEEDS
    told = {"players": len(players), "errors": errors, "peer": peer, "ours": ours}
    return told | {"answers": budget * len(TEXTS), "peer_answers": sum(each.answers for each in asked)}


def _as_good(table: Table, budget: int, outputs: list[int], errors: list[float]) -> bool:
    """Whether a budget's mean error over the seeds is within the peer's, for both tasks."""
    seen = [attribute(table.game, 0, budget, 0.0, seed).values for seed in range(SEEDS)]
    exact = table.exact
    return all(
        np.mean([np.abs(v - exact)[:, at].sum() for v in seen]) <= error * np.abs(exact[:, at]).sum()
        for at, error in zip(outputs, errors, strict=True)
    )


@dataclass(frozen=True)
class _Asked:
    """Processor seconds, error and explained output of shap's explainer at its own default, and texts answered."""

    seconds: float
    error: float
    output: int
    answers: int


def _shap_of(model: Model, name: str, text: str) -> _Asked:
    """Explain a text by shap alone."""
    from transformers import PreTrainedTokenizerFast

    shap = shap_uncompiled()
    words = PreTrainedTokenizerFast(tokenizer_object=model.tokenizer.backend, mask_token="[MASK]", pad_token="[PAD]")
    masker, count = shap.maskers.Text(words), 0

    def answer(texts: Any) -> FloatArray:
        nonlocal count
        read = tuple(str(text) for text in texts)
        count += len(read)
        return forward.raw(model, name, Inputs(np.arange(len(read)), text=read))

    output = int(np.argmax(answer([text])[0]))
    shap.Explainer(answer, masker)([text], silent=True)  # the first call of a process also compiles
    began, before = time.process_time(), count
    found = shap.Explainer(answer, masker)([text], silent=True)
    seconds, answers = time.process_time() - began, count - before
    values = np.asarray(found.values[0])[:, output]
    exact = _exact_of(masker, answer, text, len(values))[:, output]
    return _Asked(seconds, float(np.abs(values - exact).sum() / np.abs(exact).sum()), output, answers)


def _exact_of(masker: Any, answer: Any, text: str, tokens: int) -> FloatArray:
    """The values of shap's own game over its tokens, from all coalitions; the two ends are always shown."""
    inner = tokens - 2
    z = (np.arange(2**inner)[:, None] >> np.arange(inner) & 1).astype(bool)
    texts = [str(np.ravel(masker(np.concatenate([[True], row, [True]]), text))[0]) for row in z]
    values = from_all(np.asarray(answer(texts)))
    return np.vstack([np.zeros(values.shape[1]), values, np.zeros(values.shape[1])])


def rate(ground: Ground) -> Iterator[dict[str, Any]]:
    """Evaluations a second of the explainer, beside passes of the body over the same masked texts that lie ready.

    Text by text in turns, so that both meet the same load; the first text warms both up.
    """
    name = TEXTS[0]
    model, texts = ground.model(name), ground.part(name).inputs.text or ()
    spent, count = np.zeros(2), 0
    for seed, place in enumerate(np.random.default_rng(1).permutation(len(texts))[: ground.rows + 1].tolist()):
        asked: list[Inputs] = []

        def raw(inputs: Inputs, asked: list[Inputs] = asked) -> FloatArray:
            asked.append(inputs)
            return forward.raw(model, name, inputs)

        began = time.process_time()
        of_text(get(name), Inputs(np.arange(1), text=(texts[place],)), raw, SECTION, seed)
        ours = time.process_time() - began
        ready = [tokenizer.encode(model.tokenizer, inputs.text or (), inputs.hidden).ids for inputs in asked]
        began = time.process_time()
        for ids in ready:
            pooled_merged(model, ids, [model.adapters[name]] * len(ids), ())
        if seed:
            spent += ours, time.process_time() - began
            count += sum(map(len, asked))
    ours, alone = spent.tolist()
    yield {
        "case": "evaluations_per_second", "ours": count / ours, "peer": count / alone, "peer_name": "the body alone",
        "ratio": alone / ours, "unit": "evaluations a processor second", "pass": alone / ours >= 0.9,
    }  # fmt: skip


def online(ground: Ground) -> Iterator[dict[str, Any]]:
    """Processor seconds until every interval is within the tolerance, of texts of forty tokens; the 95th percentile."""
    name = TEXTS[0]
    model, texts = ground.model(name), ground.part(name).inputs.text or ()
    spent, converged = [], []
    for seed in range(ground.rows):
        text = _of_length(model, texts, seed)
        began, budget, done = time.process_time(), SECTION.text_budget, False
        while not done and budget <= LONGEST:
            section = SECTION.model_copy(update={"text_budget": budget})
            row = Inputs(np.arange(1), text=(text,))
            _, found = of_text(get(name), row, lambda inputs: forward.raw(model, name, inputs), section, seed)
            answer = int(np.argmax(found.full))
            done = found.reach[:, answer].max() <= section.tolerance * np.abs(found.values[:, answer]).sum()
            budget *= 2
        spent.append(time.process_time() - began)
        converged.append(done)
    late = float(np.percentile(spent, 95))
    yield {
        "case": "online_40_tokens_s", "ours": late, "peer": None, "peer_name": None, "ratio": None,
        "unit": "processor seconds", "converged": float(np.mean(converged)), "pass": late <= 4 and all(converged),
    }  # fmt: skip


def _of_length(model: Model, texts: tuple[str, ...], seed: int) -> str:
    """A text of forty tokens: test texts one after the other, cut at a word."""
    words = " ".join(texts[(seed + step) % len(texts)] for step in range(ONLINE)).split()
    count = next(
        n for n in range(len(words), 0, -1)
        if n <= ONLINE and len(tokenizer.encode(model.tokenizer, [" ".join(words[:n])]).ids[0]) <= ONLINE
    )  # fmt: skip
    return " ".join(words[:count])
