"""One step of the browser's history for each page that was visited.

Streamlit 1.67 pushes a step more whenever the query changes on a page's way in or out: the old page without its query
as it is left, the new one without and then with its values, in an order that depends on how messages fall together.
Back then leads to a page that has forgotten its text, or seems to do nothing. What widgets change replaces the step
that the browser is at; this makes the query that the server sends do the same, and gives the page that is left back
the address it had when the visitor asked for another.
"""

from __future__ import annotations

import streamlit as st

SCRIPT = """<script>
(() => {
    if (window.bortlabSteps) return;
    window.bortlabSteps = true;
    const history = window.history;
    const push = history.pushState.bind(history), replace = history.replaceState.bind(history);
    let asked = location.href;  // the address of this step, as the visitor last saw it
    const see = () => { asked = location.href; };
    for (const event of ["pointerdown", "keydown", "popstate"]) window.addEventListener(event, see, true);
    history.replaceState = (...said) => { replace(...said); see(); };
    history.pushState = (state, title, url) => {
        if (new URL(url, location.href).pathname === location.pathname) return replace(state, title, url);
        replace(history.state, "", asked);
        push(state, title, url);
        see();
    };
})();
</script>"""


def one_step_a_page() -> None:
    """Set the browser to it; once a visit is enough, more do no harm."""
    st.html(SCRIPT, unsafe_allow_javascript=True)
