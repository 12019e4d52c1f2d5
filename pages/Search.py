"""Search: which sub-architecture is optimal?"""

from __future__ import annotations

from bortlab.ui import search, shared

shared.introduce("Search")
with shared.sentences():
    setting = search.settings()
    extraction = search.extract(setting)
    search.answer(extraction)
    views = search.fronts(extraction, setting)
    search.one_candidate(extraction)
    search.published(extraction)
    search.moving(extraction, setting)
    search.take_away(extraction, setting, views)
with shared.sentences():
    search.milliseconds()
    search.trained()
    search.number_of_heads()
search.own()

shared.what_is_this(search.EXPLANATION)
