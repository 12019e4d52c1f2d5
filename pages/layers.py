"""Layers: when was the answer known, which words surprise, which sentences are alike?"""

from __future__ import annotations

from bortlab.ui import layers, sentences, shared, surprise

shared.introduce("layers")
models = shared.choose_models()
part = layers.choose_part()
if part == "sentences":
    texts = sentences.box()
    with shared.sentences():
        embedded, choice = sentences.embed(models, texts)
        sentences.show(embedded, choice)
        sentences.findings(embedded, choice)
        sentences.take_away(embedded, texts, choice)
    shared.what_is_this(sentences.EXPLANATION)
elif part == "surprise":
    text = shared.text_box()
    with shared.sentences():
        scores = surprise.score(models, text)
        surprise.show(scores)
        surprise.findings(scores)
        surprise.take_away(scores, text)
    shared.what_is_this(surprise.EXPLANATION)
else:
    text = shared.text_box()
    with shared.sentences():
        measure, word, lens = layers.controls(text)
        views = layers.look_through(models, text, lens)
        layers.show(views, measure, word, lens)
        layers.findings(views, text, word, lens)
        layers.closely(views, measure, word, lens)
        layers.take_away(views, text, measure, word, lens)
    shared.what_is_this(layers.LENS)
