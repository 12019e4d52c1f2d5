"""Tokens: how does each model cut the text?"""

from __future__ import annotations

from bortlab.ui import shared, tokens

shared.introduce("tokens")
models = shared.choose_models()
text = shared.text_box()
second = shared.second_text()
with shared.sentences():
    joined = tokens.pair_format(models, second)
    cuts = tokens.cut(models, text, second, joined)
    tokens.show(cuts)
    tokens.pairs(cuts)
    tokens.findings(cuts)
    tokens.vocabularies(cuts)
    tokens.take_away(cuts, text, second, joined)

shared.what_is_this(tokens.EXPLANATION)
