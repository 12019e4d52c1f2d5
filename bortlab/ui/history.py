"""Back, Forward and reload: one step of the browser's history for each page, and every step keeps what was on it.

Streamlit 1.67 gets five things wrong about the address of a page, and each is mended here.

* It pushes a step more whenever the query changes on a page's way in or out: the old page without its query as it is
  left, the new one without and then with its values, in an order that depends on how messages fall together. `SCRIPT`
  lets the query that the server sends replace the step that the browser is at, as that of widgets does.
* A message of the page that was left, when it comes late, makes it push that page and then the present one after Back:
  there is no Forward any more. `SCRIPT` lets nothing but a visitor's click or key add a step.
* It takes the query off a page's address when the page is left. `SCRIPT` puts the address back first.
* On the way Back and Forward it throws away every value of the address whose name a widget of the page that is left
  has too, such as the text, and the page falls back to its defaults. `restore_address` puts these values back.
* When a program sets a widget, it sends the browser its own copy of the whole address, in which what a visitor has just
  typed may be missing: the browser sends its address before it has changed it. `note_address` brings the copy up to
  date.
"""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.state.query_params import _coerce_value_for_query_url

SCRIPT = """<script>
(() => {
    if (window.bortlabSteps) return;
    window.bortlabSteps = true;
    const history = window.history;
    const push = history.pushState.bind(history), replace = history.replaceState.bind(history);
    let address = location.href;  // of this step, as the visitor last saw it
    let travelled = false;  // was Back or Forward the last thing that the visitor did?
    const note = () => { address = location.href; };
    for (const event of ["pointerdown", "keydown", "click", "popstate"]) {
        window.addEventListener(event, () => { travelled = event === "popstate"; note(); }, true);
    }
    history.replaceState = (...step) => { replace(...step); note(); };
    history.pushState = (state, title, url) => {
        if (new URL(url, location.href).pathname === location.pathname) return replace(state, title, url);
        if (travelled) return;
        replace(history.state, "", address);
        push(state, title, url);
        note();
    };
})();
</script>"""


def one_step_a_page() -> None:
    """Send `SCRIPT` to the browser; once a visit is enough, more do no harm."""
    st.html(SCRIPT, unsafe_allow_javascript=True)


def restore_address() -> None:
    """On the way Back or Forward, let the page's widgets read all of its address; before any widget is drawn."""
    context = get_script_run_ctx()
    if context is None or not context.is_history_navigation:
        return
    with context.session_state.query_params() as query:
        query.populate_from_query_string(context.query_string)
        query.set_initial_query_params(context.query_string)
        query._send_query_param_msg()


def note_address() -> None:
    """Before a program sets a widget that stands in the address: note there what the widgets hold now."""
    context = get_script_run_ctx()
    if context is None:
        return
    with context.session_state.query_params() as query:
        state = context.session_state._state
        for name, bound in query._bindings_by_param.items():
            widget = state._new_widget_state.widget_metadata.get(bound.widget_id)
            if widget is None or bound.widget_id not in state:
                continue
            value = state[bound.widget_id]
            if value == widget.deserializer(None):
                query._query_params.pop(name, None)
            else:
                query._query_params[name] = _coerce_value_for_query_url(widget.serializer(value), bound.value_type)
