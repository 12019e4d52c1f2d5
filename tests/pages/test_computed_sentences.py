"""Sentences that pages compute from data: right for every sign, tie and number, and never empty-handed."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bortlab import registry
from bortlab.analysis.attention import Attention, Compared, QueryKey, Unit
from bortlab.analysis.attribution import Assessment, Curves
from bortlab.analysis.heads import Heads, HeadStatistics, of
from bortlab.analysis.kernels import Contributions, Kernels, KernelStatistics, Survey
from bortlab.analysis.parameters import formula
from bortlab.analysis.predict import Agreement
from bortlab.analysis.tokens import cut, differences
from bortlab.system.numbers import fixed, percent
from bortlab.ui.attention.comparing import hiding_sentence
from bortlab.ui.attention.deeper import query_sentence
from bortlab.ui.attention.heads import head_sentence
from bortlab.ui.attention.selection import LEVELS
from bortlab.ui.attribution.parts import sums_sentence
from bortlab.ui.attribution.trust import about_curves, about_tests
from bortlab.ui.kernels.of_many import halves_sentence, survey_sentence
from bortlab.ui.kernels.of_text import preferred_taps
from bortlab.ui.kernels.span import moved_sentence, with_another_word
from bortlab.ui.layers import settling
from bortlab.ui.parameters.comparing import findings
from bortlab.ui.parameters.what_if import groups_sentence
from bortlab.ui.sentences import similarity_sentence
from bortlab.ui.tokens import unknown, widest
from bortlab.views.attention import _largest_difference
from bortlab.views.heads import NEAR_DUPLICATE, doing, groups
from bortlab.views.parameters import CountedModel
from bortlab.views.predict import agreement
from tests.views.test_contributions import of as an_attribution
from tests.views.test_layers_views import a_lens

shares = st.lists(st.sampled_from([0.0, 0.0004, 0.25, 0.5]), min_size=4, max_size=4)


def compared(change: float) -> Compared:
    """Two matrices of two words, of which the second looks at word 1 so much more."""
    units = tuple(Unit(f"w{n}", ("word", n), 0) for n in range(2))
    first = torch.full((2, 2), 0.5, dtype=torch.float64)
    return Compared(units, units, first, first + torch.tensor([[-change, change]] * 2, dtype=torch.float64))


@given(st.sampled_from([-0.3, -0.0004, 0.0, 0.0004, 0.3]))
def test_hiding_a_word_says_more_less_or_neither(change: float) -> None:
    sentence = hiding_sentence(compared(change), 1)
    assert f"**{percent(abs(change))}** of a word's attention moved" in sentence
    if abs(change) < 0.0005:
        assert sentence.endswith("The hidden word is looked at as much as before.")
    else:
        assert sentence.endswith(f"at **30.0 points** {'more' if change > 0 else 'less'}.")
    assert "looked at" not in hiding_sentence(compared(change), 7)  # the models read no such word


@given(st.sampled_from([-0.9, -0.003, 0.0, 0.003, 0.9]))
def test_the_largest_difference_has_a_sign_or_is_none(change: float) -> None:
    sentence = _largest_difference(compared(change))
    if abs(change) < 0.005:
        assert sentence == "nowhere do the two differ by as much as a point."
    else:
        assert re.search(r": [+−]90 points\.$", sentence) and "-" not in sentence
    nothing = torch.zeros(0, 0)
    assert _largest_difference(Compared((), (), nothing, nothing)) == "the two share no word."


@given(shares, st.sampled_from(LEVELS))
def test_a_head_is_said_to_look_where_it_looks_most(parts: list[float], level: str) -> None:
    template, previous, following, itself = (torch.tensor([[share]]) for share in parts)
    one = torch.ones(1, 1)
    sentence = head_sentence(HeadStatistics(one, one, template, previous, following, itself, 4), 0, None, level)
    assert sentence.startswith(f"**{percent(max(parts))}** goes to the ")
    assert ("word" in sentence or "template" in sentence) if level == "Words" else "word" not in sentence


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 50))
def test_groups_of_heads_add_up_and_agree_in_number(layers: int, per_layer: int, seed: int) -> None:
    scores = torch.randn(layers, per_layer, 4, 4, generator=torch.Generator().manual_seed(seed))
    units = tuple(Unit(f"w{n}", ("word", n), 0) for n in range(4))
    heads: Heads = of(Attention((4 * scores).softmax(-1), units))
    sentence = groups(heads)
    n = layers * per_layer
    if n == 1:
        assert sentence.startswith("The only head ") and re.search(r" (looks|chooses) ", sentence)
        return
    counts = [(int(number), verb) for number, verb in re.findall(r"(\d+) (looks?|chooses?) ", sentence)]
    assert sum(number for number, _ in counts) == n
    assert all(verb.endswith("s") == (number == 1) for number, verb in counts)
    twins = int((heads.nearest < NEAR_DUPLICATE).sum())
    assert (f"**{twins}**" in sentence) == (twins > 0) and ("No two" in sentence) == (twins == 0)


def test_one_does_and_several_do() -> None:
    assert doing(1, "look everywhere") == "looks everywhere" and doing(2, "look everywhere") == "look everywhere"


def survey(spread: Tensor) -> Survey:
    layers, heads = spread.shape
    numbers = torch.zeros(layers, heads)
    return Survey(torch.zeros(layers, heads, 3), spread, KernelStatistics(numbers, numbers, numbers, numbers), 1, 1)


@given(st.lists(st.sampled_from([0.0, 0.2, 0.4]), min_size=1, max_size=4))
def test_a_survey_names_every_layer_once_as_fixed_or_dynamic(spread: list[float]) -> None:
    sentence = survey_sentence(survey(torch.tensor(spread)[:, None]))
    fixed, dynamic = (
        {int(n) for n in re.findall(r"\d+", match.group(1))} if (match := re.search(pattern, sentence)) else set()
        for pattern in (r"In layers? ([\d, and]+) every token", r"dynamic in layers? ([\d and,]+), (?:most|where)")
    )
    assert fixed == {n for n, value in enumerate(spread, 1) if value == 0}
    assert dynamic == {n for n, value in enumerate(spread, 1) if value > 0}
    assert ("layers" in sentence) == (len(fixed) > 1 or len(dynamic) > 1)


@given(st.lists(st.sampled_from([0.0, 0.5, 2.0]), min_size=1, max_size=4))
def test_halves_name_two_layers_only_if_they_differ(lengths: list[float]) -> None:
    convolution = torch.tensor(lengths)[:, None]
    one = torch.ones_like(convolution)
    sentence = halves_sentence(Contributions(one, convolution, one, one, one, one, (Unit("a", ("piece", 0), 0),)))
    assert ("In every layer" in sentence) == (len(set(lengths)) == 1)
    if len(set(lengths)) > 1:
        most, least = (int(n) for n in re.findall(r"layer \*\*(\d)\*\*", sentence))
        assert lengths[most - 1] == max(lengths) and lengths[least - 1] == min(lengths)


@given(st.sampled_from(["London is big.", "Rome is big.", "the water is wet", "city", "", "[MASK]", "a b", "... !"]))
def test_the_text_to_begin_with_differs_in_one_word(text: str) -> None:
    assert with_another_word(text) != text


# -- layers ------------------------------------------------------------------------------------------------------------

VALUES = st.sampled_from([-1.0, -0.004, 0.0, 0.004, 0.5, 0.501, 1.0]) | st.floats(-1, 1)


@given(st.integers(2, 4), st.data())
def test_sentences_are_most_and_least_similar_only_if_their_numbers_differ(n: int, data: st.DataObject) -> None:
    cosines = np.eye(n)
    for row, column in zip(*np.triu_indices(n, 1), strict=True):
        cosines[row, column] = cosines[column, row] = data.draw(VALUES)
    sentence = similarity_sentence(cosines)
    shown = {
        f"{row + 1} and {column + 1}": fixed(cosines[row, column], 2)
        for row, column in zip(*np.triu_indices(n, 1), strict=True)
    }
    assert "-" not in sentence and "−0.00" not in sentence
    assert ("most similar" in sentence) == (len(set(shown.values())) > 1)
    if match := re.match(r"(\d and \d) are most similar \((.*?)\), (\d and \d) least \((.*?)\)", sentence):
        first, high, last, low = match.groups()
        for pair, said in ((first, high), (last, low)):
            number, _, others = said.partition(", like ")
            assert number == shown[pair]
            assert int(others.split()[0] if others else 0) == sum(value == number for value in shown.values()) - 1
    cosines[0, 1] = math.nan
    with pytest.raises(ValueError, match="not finite"):
        similarity_sentence(cosines)


@given(st.lists(st.sampled_from(["cat", "Cat", "שלום", "*"]), min_size=2, max_size=4))
def test_a_layer_settles_where_the_answer_stays(guesses: list[str]) -> None:
    depth = len(guesses) - 1
    ids = [["cat", "Cat", "שלום", "*"].index(guess) for guess in guesses]
    settled = next(row for row in range(depth + 1) if len(set(ids[row:])) == 1)
    lens = a_lens(["x"], depth=depth)
    lens = replace(
        lens,
        ids=np.tile(np.array(ids)[:, None, None], (1, 3, 1)),
        texts=dict(enumerate(["cat", "Cat", "שלום", "*"])),
        settled=np.full(3, settled),
    )
    sentence = settling(lens, 1)
    assert ("embeddings" in sentence) == (settled == 0) and ("only in its last" in sentence) == (settled == depth > 0)
    assert (f"in layer {settled} of {depth}" in sentence) == (0 < settled < depth)
    if settled == depth:
        before = re.search(r"it was (?:\*\*(.*)\*\*|another piece that reads alike)\.$", sentence)
        assert before and (before[1] is None) == (guesses[-1].lower() == guesses[-2].lower())
    assert sentence.count("שלום") == sentence.count("\u2068שלום\u2069") and "***" not in sentence
    with pytest.raises(ValueError, match="not a number"):
        settling(replace(lens, log_probabilities=np.full_like(lens.log_probabilities, math.nan)), 1)


# -- predict -----------------------------------------------------------------------------------------------------------

FIRST = st.tuples(st.sampled_from(["cat", "dog", "שלום"]), st.sampled_from([0.0, 0.25, 0.2501, 0.5, 1.0]))


@given(st.lists(FIRST, min_size=1, max_size=4))
def test_the_most_confident_models_are_all_named(first: list[tuple[str, float]]) -> None:
    guesses = {str(n): guess for n, guess in enumerate(first)}
    most = max(guesses, key=lambda key: guesses[key][1])
    sentence = agreement(Agreement(guesses, most, ()), {key: f"Model{key}" for key in guesses})
    shares = [percent(probability) for _, probability in first]
    equal = shares.count(shares[int(most)])
    assert ("is most confident" in sentence) == (equal == 1 < len(first))
    assert ("equally confident" in sentence) == (equal == len(first) > 1)
    if match := re.search(r"([^.]*) are most confident, with (.*?) each", sentence):
        named = {int(n) for n in re.findall(r"Model(\d)", match[1].split(". ")[-1])}
        assert named == {n for n, share in enumerate(shares) if share == match[2]}
    assert sentence.count("שלום") == sentence.count("\u2068שלום\u2069")
    with pytest.raises(ValueError, match="not a number"):
        agreement(Agreement({"0": ("cat", math.nan)}, "0", ()), {"0": "A"})


# -- attribution -------------------------------------------------------------------------------------------------------

ANSWERS = st.lists(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0]), min_size=2, max_size=4)


@given(ANSWERS, st.lists(st.lists(st.sampled_from([-2.0, 0.0, 2.0]), min_size=4, max_size=4), min_size=1, max_size=3))
def test_an_order_of_words_is_judged_only_where_orders_differ(own: list[float], others: list[list[float]]) -> None:
    curve = torch.tensor(own, dtype=torch.float64)
    random = torch.tensor([other[: len(own)] for other in others], dtype=torch.float64)
    sentence = about_curves(Curves(curve, curve, random, random))
    differ = bool((random != curve).any())
    assert ("the order says nothing" in sentence) == (not differ)
    if differ:
        sooner = float((random.mean(1) > curve.mean()).double().mean())
        assert f"falls sooner than in **{percent(sooner)}** of random orders" in sentence and "-" not in sentence
    curve[0] = math.nan
    with pytest.raises(ValueError, match="not finite"):
        about_curves(Curves(curve, curve, random, random))


@given(st.sampled_from([-1.0, -0.1, 0.2, 0.9, math.nan, None]), st.sampled_from([0.5, 1.0, math.nan, None]))
def test_tests_of_an_attribution_say_what_they_found(weights: float | None, seeds: float | None) -> None:
    sentence = about_tests(Assessment(an_attribution(("cat", 1.0)), random_weights=weights, repeatability=seeds))
    assert ("as it should be" in sentence) == (weights is not None and weights < 0.5)
    assert "nan" not in sentence and "-" not in sentence


@given(
    st.lists(st.sampled_from([-2.0, -1.0, 0.0, 1.0]), min_size=1, max_size=3), st.sampled_from([-3.0, 0.0, 1e-9, 2.0])
)
def test_an_error_has_no_share_of_nothing(values: list[float], difference: float) -> None:
    words = an_attribution(*((f"w{n}", value) for n, value in enumerate(values)))
    result = replace(words, method="integrated-gradients", value=difference, without=0.0)
    sentence = sums_sentence(result)
    assert ("nothing to share out" in sentence) == (abs(difference) < 1e-6) == ("completeness error" not in sentence)
    if abs(difference) > 1e-6:
        assert sentence.endswith(f"completeness error {percent(abs(sum(values) - difference) / abs(difference))}.")
    with pytest.raises(ValueError, match="not finite"):
        sums_sentence(replace(result, values=torch.tensor([math.nan])))


# -- attention and kernels ---------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=5), st.integers(0, 4))
def test_a_query_looks_at_all_that_it_looks_at_most(scores: list[float], position: int) -> None:
    words = ["the", "cat", "the", "שלום", "mat"][: len(scores)]
    units = tuple(Unit(word, ("word", n), 0) for n, word in enumerate(words))
    keys = torch.tensor(scores, dtype=torch.float64)
    record = QueryKey(
        units,
        position % len(words),
        torch.ones(2),
        torch.ones(len(words), 2),
        keys[:, None].expand(-1, 2),
        keys,
        keys.softmax(0),
    )
    sentence = query_sentence(record)
    best = [n for n, score in enumerate(scores) if score == max(scores)]
    assert ("alike" in sentence) == (len(best) == len(scores) > 1)
    if "most at" in sentence:
        looked_at = re.findall(r"\*\*\u2068?(\w+)\u2069?\*\*(?: \((\d) of 2\))?", sentence.split("most at ")[1])
        counts = {"the": words.count("the")}
        assert [word for word, _ in looked_at] == [words[n] for n in best[:3]]
        assert all(bool(number) == (counts.get(word, 1) > 1) for word, number in looked_at)
    with pytest.raises(ValueError, match="not a number"):
        query_sentence(replace(record, weights=torch.full_like(keys, math.nan)))


@given(st.lists(st.sampled_from([0.0, 1.0, 1.0001, 3.0]), min_size=3, max_size=3))
def test_a_head_prefers_every_tap_of_the_largest_weight(logits: list[float]) -> None:
    weights = torch.tensor(logits, dtype=torch.float64).softmax(0)[None, None, None]  # (layer, head, position, tap)
    units = (Unit("a", ("piece", 0), 0),)
    sentence = preferred_taps(Kernels(weights, units), 0).splitlines()[0]
    shares = [percent(float(weight)) for weight in weights.flatten()]
    most = [n for n, share in enumerate(shares) if share == percent(float(weights.max()))]
    assert ("weighs all 3 taps alike" in sentence) == (len(most) == 3)
    assert ("prefers" in sentence and ("each" in sentence) == (len(most) > 1)) or len(most) == 3
    assert ("itself" in sentence) == (1 in most and len(most) < 3)
    with pytest.raises(ValueError, match="not a number"):
        preferred_taps(Kernels(weights * math.nan, units), 0)


def test_how_far_kernels_moved_is_a_share_or_refused() -> None:
    zeros = torch.zeros(2, 1, 1)
    assert moved_sentence(zeros, zeros).count("0%") == 4
    with pytest.raises(ValueError, match="not a number"):
        moved_sentence(zeros, zeros[:, :, :0])


# -- parameters --------------------------------------------------------------------------------------------------------

CONFIGS = st.sampled_from(["albert-base-v2", "albert-base-v1", "bert-base-uncased", "bort", "bert-mini"])


@given(st.lists(CONFIGS, min_size=1, max_size=4))
def test_fewest_weights_and_largest_embeddings_are_those_of_the_numbers(keys: list[str]) -> None:
    models = []
    for n, key in enumerate(keys):
        family, config = registry.architecture(key)
        models.append(CountedModel(f"M{n}", family.name, config, formula(config, ("masked-lm",))))
    sentence = findings(models)
    stored = [model.sizes.stored for model in models]
    fewest = sentence.split(" store")[0]
    assert {int(n) for n in re.findall(r"M(\d)", fewest)} == {n for n, size in enumerate(stored) if size == min(stored)}
    assert ("times fewer" in sentence) == (max(stored) / min(stored) >= 1.05) and " 1.0 times fewer" not in sentence
    shares = [percent(model.sizes.by_component()["embeddings"] / model.sizes.stored) for model in models]
    said = re.search(r"Embeddings are (.*?) of (\w+)(?:, and (.*?) of M(\d))?\.", sentence)
    assert said
    if len(set(shares)) > 1:
        assert said[1] == shares[int(said[2][1:])] and said[3] == shares[int(said[4])] and said[1] != said[3]
    else:
        assert said[2] == ("each" if len(models) > 1 else "M0") and said[3] is None


@given(st.integers(1, 4))
def test_sharing_is_compared_only_where_there_are_layers_to_share(layers: int) -> None:
    sentence = groups_sentence({groups: 1000 * groups for groups in range(1, layers + 1)}, 1000)
    assert ("nothing to share" in sentence) == (layers == 1) and ("each extra group" in sentence) == (layers > 1)


# -- tokens ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["cat", "naïve", "שלום", "漢字 cat", "*b*"]), min_size=1, max_size=3))
def test_what_is_cut_differently_or_unknown_is_named_once_and_isolated(texts: list[str]) -> None:
    text = " ".join(texts)
    cuts = {key: cut(registry.load(key).tokenizer, text) for key in ("bert-mini", "bort-mini")}
    titles = {"bert-mini": "B", "bort-mini": "C"}
    unknown_pieces = {key: [p for p in each.pieces if p.role == "unknown"] for key, each in cuts.items()}
    sentence = f"{unknown(cuts, titles)} {widest(differences(cuts), titles)}"
    for key, pieces in unknown_pieces.items():
        assert bool(re.search(rf"{titles[key]}[^.;]* do(?:es)? not know", sentence)) == bool(pieces)
    assert ("Nothing is unknown" in sentence) == (not any(unknown_pieces.values()))
    spread = max((each.spread for each in differences(cuts)), default=0)
    assert ("Cut most differently" in sentence) == (spread > 0)
    assert sentence.count("שלום") == sentence.count("\u2068שלום\u2069") and "*b*" not in sentence
