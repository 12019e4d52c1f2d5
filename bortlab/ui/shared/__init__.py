"""What every page shares: controls, asking a model, pictures, and what stands at a page's end."""

from bortlab.ui.shared.appearance import begin
from bortlab.ui.shared.asking import answer, ask, begin_run, compute, computed_by, left_out, sentences
from bortlab.ui.shared.controls import (
    LONGEST_TEXT,
    choose_models,
    choose_number,
    choose_place,
    choose_view,
    introduce,
    is_current,
    labelled_anew,
    second_text,
    set_text,
    text_box,
)
from bortlab.ui.shared.ending import FOOTER, as_code, downloads, footer, link, take_away, together, what_is_this
from bortlab.ui.shared.pictures import colour, drawing, grid, heading, look, name_card, picture, sentence
from bortlab.views.prose import names

__all__ = [
    "FOOTER",
    "LONGEST_TEXT",
    "answer",
    "as_code",
    "ask",
    "begin",
    "begin_run",
    "choose_models",
    "choose_number",
    "choose_place",
    "choose_view",
    "colour",
    "compute",
    "computed_by",
    "downloads",
    "drawing",
    "footer",
    "grid",
    "heading",
    "introduce",
    "is_current",
    "labelled_anew",
    "left_out",
    "link",
    "look",
    "name_card",
    "names",
    "picture",
    "second_text",
    "sentence",
    "sentences",
    "set_text",
    "take_away",
    "text_box",
    "together",
    "what_is_this",
]
