"""The Attribution page through Streamlit's test runner: any text, any link, all views, numbers as the library's."""

from __future__ import annotations

import html
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
import torch
from safetensors.torch import load_file
from streamlit.testing.v1 import AppTest

from bortlab import registry
from bortlab.analysis import attribution as analysis
from bortlab.analysis.attribution import Assessment, work
from bortlab.model import Model
from bortlab.system import settings
from bortlab.text import Encoding
from bortlab.ui import attribution as ui
from bortlab.ui import job_panel, opened, patience
from bortlab.ui.attribution import by_layer, choosing
from bortlab.ui.examples import DEFAULT_TEXT
from bortlab.ui.startup import minis
from bortlab.views.escape import markdown
from bortlab.work.jobs import Job, Status
from tests.pages.visiting import HOSTILE, bodies, charts, check, elements, visit

lab = partial(visit, "attribution")
TEXT = "Paris is the [MASK] of France."


def strips(at: AppTest) -> list[str]:
    """The coloured words of each model."""
    found = [body for body in bodies(at) if "<ol" in body]
    return [body[body.index("<ol") :] for body in found]


def test_every_model_has_its_coloured_words_at_once() -> None:
    at = lab(text=TEXT)
    assert not at.error and not at.warning and not at.info
    assert len(strips(at)) == len(minis()) and len(charts(at)) == len(minis()) + 1
    for body in strips(at):
        assert 'aria-label="France: ' in body and body.count('tabindex="0"') == 6
        assert body.count("ba-kept") == 3  # template and blank
    assert any("contribute" in e.value and "For" in e.value for e in at.markdown)
    assert sum("completeness error" in e.value for e in at.caption) == len(minis())


def test_the_table_holds_what_the_library_finds() -> None:
    key = minis()[0]
    at = lab(text=TEXT, models=key, method="Input x Gradient", scale="logit")
    model = registry.load(key)
    encoding = model.encode(TEXT)
    target = analysis.token(model, encoding, scale="logit")
    expected = analysis.attribute(model, encoding, target, method="input-x-gradient")
    counts = at.dataframe[0].value["contribution"]
    assert counts.dropna().tolist() == pytest.approx([float(expected.values[n]) for n in expected.own], rel=1e-4)


def test_python_of_the_page_gives_the_pages_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    at = lab(text=TEXT, models=minis()[-1], method="Feature Ablation", why="city")
    exec(next(e.value for e in at.code if "import bortlab" in e.value), {})
    printed = [float(line.split()[-1]) for line in capsys.readouterr().out.strip().splitlines()]
    counts = at.dataframe[0].value["contribution"].dropna().tolist()
    assert printed == pytest.approx(counts, abs=1e-3)


@pytest.mark.parametrize("view", ui.VIEWS)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_any_text_is_survived(text: str, view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "MOST_MULTIPLY_ADDS", 5e9)  # what is more is offered as a job
    at = lab(text=text, view=view, models=minis()[:2])
    assert at.text_input(key="text").value == text
    said = [*at.error, *at.info, *at.warning]
    assert charts(at) or said


@pytest.mark.parametrize("inside", by_layer.INSIDE)
def test_inside_the_models(inside: str) -> None:
    at = lab(text=TEXT, view="Layers", inside=inside)
    assert not at.error and not at.warning
    expected = len(minis())
    if inside == "Heads":
        expected += 1  # ConvBERT's halves
    elif inside == "Kernels":
        expected = 1
    assert len(charts(at)) == expected
    assert len(at.info) == (len(minis()) - 1 if inside == "Kernels" else 0)


def test_all_methods_and_their_agreement() -> None:
    at = lab(text=TEXT, view="Methods", models=minis()[0])
    assert not at.error and len(charts(at)) == 2
    rows = at.dataframe[0].value
    assert set(rows["method"]) == {method.title for method in analysis.METHODS.values()}
    assert any("rank correlation" in e.value for e in at.markdown)


def test_a_contrast_and_words_that_cannot_be_asked() -> None:
    key = minis()[0]
    at = lab(text=TEXT, models=key, why="capital", **{"not": "city"})
    assert not at.error and any("against" in body.proto.body for body in elements(at._tree) if body.type == "html")
    for why in ("unbelievably", "😀", "<b>x</b>"):
        at = lab(text=TEXT, models=key, why=why)
        assert len(at.error) == 1 and not charts(at)


def test_without_a_blank_the_text_as_a_whole_is_explained() -> None:
    at = lab(text="Paris is here.", models=minis()[-1])
    assert not at.error and len(charts(at)) == 1
    at = lab(text="Paris is here.", models=minis()[-1], method="Attention rollout")
    assert len(at.error) == 1
    at = lab(text="Paris is here.", models=minis()[-1], view="Layers")
    assert len(at.error) == 1


def test_more_steps_are_offered_where_the_sum_is_off() -> None:
    at = lab(text=TEXT, models="convbert-mini", steps="20")
    button = next(b for b in at.button if "steps" in b.label)
    more = int(re.findall(r"\d+", button.label)[0])
    check(button.click().run())
    assert at.selectbox(key="steps").value == more == 100


def test_what_is_a_lot_of_work_is_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offered, then shown while it runs, cancelled, and used when it is done."""
    state: dict[str, Any] = {"status": None, "found": {}}
    monkeypatch.setattr(patience, "MOST_MULTIPLY_ADDS", 0.0)
    monkeypatch.setattr(job_panel, "POLL_S", 1000.0)
    monkeypatch.setattr(Job, "status", lambda self: state["status"])
    monkeypatch.setattr(Job, "start", lambda self: state.update(status=Status("running", 0.4, "LIME: 12 passes.")))
    monkeypatch.setattr(Job, "cancel", lambda self: state.update(status=Status("cancelled", message="Cancelled.")))
    monkeypatch.setattr(work, "result", lambda job, question: state["found"])
    key = minis()[0]
    at = lab(text=TEXT, models=key, method="LIME")
    assert not charts(at)
    check(at.button[0].click().run())
    assert [e.proto.text for e in elements(at._tree) if e.type == "progress"] == [
        f"{registry.find(key)[1].title}. {markdown('LIME: 12 passes.')}"
    ]
    check(next(b for b in at.button if b.label == "Cancel").click().run())
    assert any("Cancelled" in e.value for e in at.info)
    model = registry.load(key)
    encoding = model.encode(TEXT)
    target = analysis.token(model, encoding, scale="log-probability")
    found = analysis.attribute(model, encoding, target, method="lime")
    state |= {"status": Status("done"), "found": {"lime": Assessment(found)}}
    check(at.run())
    assert len(strips(at)) == 1 and len(charts(at)) == 1


@pytest.fixture
def a_slow_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever measures a time finds that it took minutes."""
    clock = time.perf_counter
    monkeypatch.setattr(time, "perf_counter", lambda: 1000 * clock())


@pytest.mark.usefixtures("a_slow_clock")
@pytest.mark.parametrize("view", ui.VIEWS)
def test_the_minis_answer_at_once_whatever_the_clock_says(view: str) -> None:
    at = lab(text=TEXT, view=view)
    assert not [e for e in [*at.info, *at.caption] if "take a while" in e.value]
    assert "Compute it" not in [b.label for b in at.button] and len(charts(at)) >= len(minis())


@pytest.mark.parametrize("method", analysis.METHODS)
def test_the_minis_are_alike_in_what_is_long(method: str) -> None:
    """Side by side on the text that the lab opens with, all answer at once, in every view."""
    for key in minis():
        model = registry.load(key)
        encoding = model.encode(DEFAULT_TEXT)
        question = analysis.Question(model, encoding, analysis.token(model, encoding))
        counted = [question.multiply_adds(method), question.multiply_adds(method, assessed=True)]
        if method in by_layer.OF_STATES:
            counted.append(question.multiply_adds(method, layers=question.layers))
        assert not any(map(patience.is_long, counted)), (key, counted)


@pytest.mark.parametrize("view", ui.VIEWS)
def test_a_text_is_tokenised_once_for_each_model(view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in minis():
        registry.load(key)  # whose first pass reads a text of its own
    text, counts = "Rome is the [MASK] of Italy.", Counter[str]()
    encode = Model.encode

    def counted(model: Model, *arguments: Any, **more: Any) -> Encoding:
        counts[model.key] += 1
        return encode(model, *arguments, **more)

    monkeypatch.setattr(Model, "encode", counted)
    at = lab(text=text, view=view, method="Saliency", states="Saliency")
    assert not at.error and counts == dict.fromkeys(minis(), 1)


def test_a_word_that_one_model_lacks_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture, its numbers and its Python are those of the models that can answer."""
    first, second = minis()[:2]
    token = analysis.token

    def lacking(model: Model, *arguments: Any, **more: Any) -> analysis.Target:
        if model.key == first:
            raise ValueError("That word is not in the vocabulary.")
        return token(model, *arguments, **more)

    monkeypatch.setattr(analysis, "token", lacking)
    for view in ui.VIEWS:
        at = lab(text="London is the [MASK] of England.", models=[first, second], view=view, method="Saliency")
        assert len(at.error) == 1 and charts(at), view
        assert second in next(e.value for e in at.code if "import bortlab" in e.value)


def test_trust_says_how_far() -> None:
    at = lab(text=TEXT, models=minis()[0], view="Trust", method="KernelSHAP")
    assert not at.error and len(charts(at)) == 1
    assert any("Comprehensiveness" in e.value for e in at.markdown)
    assert any("random weights" in e.value and "Other seeds" in e.value for e in at.caption)


def test_layers_that_are_a_lot_of_work_are_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offered, shown while it runs, and its numbers when it is done."""
    state: dict[str, Any] = {"status": None, "found": {}, "layers": None}

    def start(self: Job) -> None:
        state.update(status=Status("running", 0.5, "Into layer 2."), layers=self.arguments["assignment"]["layers"])

    monkeypatch.setattr(patience, "MOST_MULTIPLY_ADDS", 0.0)
    monkeypatch.setattr(job_panel, "POLL_S", 1000.0)
    monkeypatch.setattr(Job, "status", lambda self: state["status"])
    monkeypatch.setattr(Job, "start", start)
    monkeypatch.setattr(work, "result", lambda job, question: state["found"])
    key = minis()[0]
    model = registry.load(key)
    layers = range(model.config.depth + 1)
    at = lab(text=TEXT, models=key, view="Layers", states="Saliency")
    assert not charts(at) and not at.error
    check(next(b for b in at.button if b.label == "Compute it").click().run())
    assert state["layers"] == [*layers] and [e for e in elements(at._tree) if e.type == "progress"]
    assert any(b.label == "Cancel" for b in at.button)
    encoding = model.encode(TEXT)
    target = analysis.token(model, encoding, scale="log-probability")
    found = [analysis.attribute(model, encoding, target, method="saliency", layer=layer) for layer in layers]
    state |= {"status": Status("done"), "found": {"saliency, layer 0": Assessment(found[0])}}
    assert not charts(check(at.run()))  # half of it is not shown as if it were all
    state["found"] = {work.named("saliency", n): Assessment(one) for n, one in enumerate(found)}
    check(at.run())
    assert len(charts(at)) == 1 and not at.info
    counts = at.dataframe[0].value["contribution"].dropna().tolist()
    assert counts == pytest.approx([float(value) for one in found for value in one.values], rel=1e-3)


# -- other heads -------------------------------------------------------------------------------------------------------


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], str]]:
    """opens(folder): its key, as the Models page opens it."""
    monkeypatch.setenv(settings.FOLDERS.name, "1")
    monkeypatch.setattr(opened, "_opened", {})
    yield lambda folder: opened.open_model(str(folder)).key


def options(at: AppTest) -> list[str]:
    """What the page offers to explain; nothing where there is nothing to choose."""
    return next((box.options for box in at.selectbox if box.key == "answer"), [])


def test_the_minis_alone_leave_nothing_to_choose() -> None:
    at = lab(text=TEXT, answer="a class of the text")
    assert not options(at) and len(strips(at)) == len(minis()) and not at.info


@pytest.mark.parametrize("view", ui.VIEWS)
def test_the_class_of_a_text(view: str, own_folder: Callable[..., Path], opens: Callable[[Path], str]) -> None:
    key, mini = opens(own_folder("albert", "sequence-classification")), minis()[0]
    at = lab(text="A fine day.", models=[key, mini], answer="a class of the text", view=view)
    assert options(at) == ["a word in the blank", "a class of the text"] and not at.error
    assert [e.value for e in at.info] == [f"{opened.title(mini)} has no trained head for a class of the text."]
    assert charts(at)
    assert next(box for box in at.selectbox if box.key == "why-label").options == ["PER", "LOC", "O"]
    headings = " ".join(e.proto.body for e in elements(at._tree) if e.type == "html")
    assert "log-probability of" in headings and "trained head" not in headings


def numbers(at: AppTest, printed: str) -> tuple[list[float], list[float]]:
    """The page's numbers, and those that its Python prints."""
    counts = at.dataframe[0].value["contribution"].dropna().tolist()
    return counts, [float(line.split()[-1]) for line in printed.strip().splitlines()]


@pytest.mark.parametrize(
    ("task", "query", "says"),
    [
        (
            "sequence-classification",
            {"answer": "a class of the text", "why-label": "LOC", "not-label": "O"},
            'log-probability of "LOC" against "O"',
        ),
        (
            "token-classification",
            {"answer": "the label of a word", "at": "3 Paris", "why-label": "LOC"},
            'log-probability of "LOC" at "Paris"',
        ),
        (
            "question-answering",
            {"answer": "where an answer starts", "second": "Ann went to Rome.", "edge": "4 Rome"},
            'log-probability of start at "Rome"',
        ),
        (
            "question-answering",
            {"answer": "where an answer ends", "second": "Ann went to Rome."},
            "log-probability of end at",
        ),
    ],
)
def test_the_page_explains_what_its_link_and_its_python_say(
    task: str,
    query: dict[str, str],
    says: str,
    own_folder: Callable[..., Path],
    opens: Callable[[Path], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    key = opens(own_folder("convbert", task))
    at = lab(text="Is she Paris", models=key, method="Feature Ablation", **(query | {"at": "3 Paris"}))
    assert not at.error and not at.info and len(strips(at)) == 1
    assert any(says in html.unescape(e.proto.body) for e in elements(at._tree) if e.type == "html")
    exec(next(e.value for e in at.code if "import bortlab" in e.value), {})
    shown, printed = numbers(at, capsys.readouterr().out)
    assert shown == pytest.approx(printed, abs=1e-3) and any(shown)
    link = unquote_plus(next(e.value for e in at.code if "http" in e.value or "?" in e.value))
    assert all(f"{name}={value}" in link for name, value in query.items())


def test_a_chosen_word_stays_the_word_of_its_number(
    own_folder: Callable[..., Path], opens: Callable[[Path], str]
) -> None:
    key = opens(own_folder("bert", "token-classification"))
    query = {"models": key, "answer": "the label of a word", "method": "Saliency"}
    at = lab(text="Ann is in Paris", at="4 Paris", **query)
    check(at.text_input(key="text").set_value("Ann is in Rome now").run())
    assert at.selectbox(key="at").value == "4 Rome" and not at.error
    assert any('at "Rome"' in html.unescape(e.proto.body) for e in elements(at._tree) if e.type == "html")
    check(at.text_input(key="text").set_value("Ann is").run())
    assert at.selectbox(key="at").value == "1 Ann" and not at.error
    check(at.text_input(key="text").set_value("").run())
    assert ["There is no word" in e.value for e in at.error] == [True]
    check(at.selectbox(key="answer").set_value("a word in the blank").run())
    check(at.text_input(key="text").set_value("Ann").run())
    assert any("log-likelihood" in e.proto.body for e in elements(at._tree) if e.type == "html") and not at.error
    for odd in ("zzz", "9 is", "0", "-1 is"):
        assert lab(text="Ann is", at=odd, **query | {"why-label": "no such label"}).selectbox(key="at").value == "1 Ann"


def test_the_passage_is_asked_for(own_folder: Callable[..., Path], opens: Callable[[Path], str]) -> None:
    at = lab(text="Who?", models=opens(own_folder("bort", "question-answering")), answer="where an answer ends")
    assert ["second text" in e.value for e in at.info] == [True] and not at.error and not charts(at)


def test_a_predicted_number_is_explained_as_it_is(
    own_folder: Callable[..., Path], opens: Callable[[Path], str]
) -> None:
    key = opens(own_folder("bert", "sequence-classification", labels=("stars",)))
    at = lab(text="A fine day.", models=key, answer="a class of the text")
    assert not at.error and any("logit of" in e.proto.body for e in elements(at._tree) if e.type == "html")


def test_a_random_head_is_never_offered(
    own_folder: Callable[..., Path], opens: Callable[[Path], str], tmp_path: Path
) -> None:
    key = opens(own_folder("bert", "token-classification", heads="random"))
    assert not options(lab(text=TEXT, models=key, answer="the label of a word"))
    folder = own_folder("bert", "masked-lm")  # a pickle is believed until it is read
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    about = (folder / "config.json").read_text()
    (folder / "config.json").write_text(about.replace("BertForMaskedLM", "BertForTokenClassification"))
    at = lab(text=TEXT, models=opens(folder), answer="the label of a word")
    assert ["has no trained head" in e.value for e in at.info] == [True] and not charts(at) and not strips(at)


def test_any_text_is_survived_by_every_head(own_folder: Callable[..., Path], opens: Callable[[Path], str]) -> None:
    keys = [opens(own_folder("bert", task)) for task in ("token-classification", "question-answering")]
    labels = ("<img src=x>", ":smile: ![](x)")
    keys.append(opens(own_folder("bert", "sequence-classification", labels=labels)))
    for text in ("", "x" * 15_000, "word " * 10_000, HOSTILE["image"], HOSTILE["combining marks"], "[MASK]"):
        for answer in list(choosing.ANSWERS.values())[1:]:
            at = lab(text=text, second=text, models=keys, answer=answer.title, method="Saliency")
            assert charts(at) or [*at.error, *at.info]
