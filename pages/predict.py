"""Predict: what does each model put in the blank?"""

from __future__ import annotations

import streamlit as st

from bortlab.ui import adapt, predict, shared

shared.introduce("predict")
models = shared.choose_models()
text = shared.text_box()
predict.examples()
with shared.sentences():
    predict.word_buttons(text)
    if predict.has_blank(text):
        top_k = st.slider("Guesses per blank", 3, 20, 5, key="top", bind="query-params", width=280)
        answers, answered = predict.fill(models, text, top_k)
        predict.show(answers)
        predict.show_agreement(answers)
        shared.computed_by(answered)
        predict.how_likely(answers, text)
        predict.take_away(answers, text, top_k)
adapt.section(models)

shared.what_is_this(predict.EXPLANATION)
