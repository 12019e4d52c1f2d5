"""A lesson, step by step; or all of it at once, for a teacher."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from bortlab import lessons as library
from bortlab import registry
from bortlab.lessons import Context, Lesson, Question, Show, Step
from bortlab.model import Model
from bortlab.ui import contents, opened, shared, startup
from bortlab.ui.lessons import progress, questions
from bortlab.views.escape import markdown
from bortlab.views.view import Fragment, View, is_figure

COLUMNS = 2


def show(lesson: Lesson) -> None:
    """The lesson at its present step."""
    st.button("All lessons", key="all-lessons", icon=":material/arrow_back:", type="tertiary", on_click=progress.close)
    st.title(lesson.title, anchor=False)
    st.markdown(lesson.header.question)
    teacher = st.toggle(
        "Teacher's view",
        key="teacher",
        bind="query-params",
        help="All steps and all answers at once, and sheets to print.",
    )
    context = _context()
    if teacher:
        _sheets(lesson, context)
        for number, step in enumerate(lesson.steps, 1):
            _step(lesson, number, step, context, all_answers=True)
    else:
        number = progress.step(lesson)
        _ways(lesson, number)
        _step(lesson, number, lesson.steps[number - 1], context, all_answers=False)
        _next(lesson, number)
    _as_code(lesson, context, None if teacher else number)
    _sources(lesson)


def _context() -> Context:
    return Context(_load, shared.ask, opened.title, shared.look())


def _load(key: str) -> Model:
    """A model that the lab offers; a lesson never makes the lab download one."""
    if key not in opened.choosable(startup.bundled()):
        title = markdown(library.of_registry(shared.look()).title(key))
        raise registry.NeedsNetworkError(f"This step needs {title}, which is not loaded. The Models page can load it.")
    return opened.load(key)


def _ways(lesson: Lesson, number: int) -> None:
    """The steps as a row: those behind, this one, those ahead."""
    numbers = range(1, len(lesson.steps) + 1)
    made, asked = len(progress.guesses(lesson)), len(lesson.questions)
    st.session_state["way"] = number

    def go() -> None:
        progress.go_to(lesson, st.session_state["way"] or number)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "Step",
            numbers,
            key="way",
            on_change=go,
            required=True,
            label_visibility="collapsed",
        )
        st.caption(f"Step {number} of {len(lesson.steps)} · {made} of {asked} guesses made")


def _step(lesson: Lesson, number: int, step: Step, context: Context, *, all_answers: bool) -> None:
    """Prose, questions and views, in order; what stands below a question waits for the guess."""
    st.header(f"{number}. {step.title}", anchor=False)
    for place, block in enumerate(step.blocks):
        if isinstance(block, str):
            st.markdown(block)
        elif isinstance(block, Show):
            _view(lesson, block, context, f"{lesson.key}-{number}-{place}")
        else:
            with shared.sentences():
                questions.ask(lesson, block, context, reveal=all_answers)
            if not all_answers and block.number not in progress.guesses(lesson):
                _waiting(step, place)
                return


def _waiting(step: Step, place: int) -> None:
    if any(isinstance(block, Show | Question) for block in step.blocks[place + 1 :]):
        st.caption("Guess, and the lab shows what is behind it.")


def _view(lesson: Lesson, block: Show, context: Context, key: str) -> None:
    """A view of the lab, and the way to it."""
    with shared.sentences():
        scene = library.draw(block, lesson.header.settings, context)
        for (number, (model, view)), column in shared.grid(list(enumerate(scene.pictures)), COLUMNS, stretch=False):
            with column:
                if model is not None:
                    shared.heading(context.load(model))
                elif len(scene.pictures) > 1:
                    st.markdown(f"**{markdown(view.title)}**")
                _picture(view, f"{key}-{number}")
                if is_figure(view):
                    st.caption(shared.sentence(view))
        st.page_link(
            f"pages/{scene.page}.py",
            label=f"Go on with this on the {contents.title(scene.page)} page",
            icon=":material/open_in_new:",
            query_params={name: _written(value) for name, value in scene.link.items()},
        )


def _picture(view: View, key: str) -> None:
    if isinstance(view.picture, Fragment) and view.picture.body.startswith("<svg"):
        shared.drawing(view)
    else:
        shared.picture(view, key)


def _written(value: object) -> str | list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else str(value)


def _next(lesson: Lesson, number: int) -> None:
    """Back and on; from the last step, the next lesson."""
    with st.container(horizontal=True):
        if number > 1:
            st.button(
                "Back", key="back", on_click=progress.go_to, args=(lesson, number - 1), icon=":material/arrow_back:"
            )
        if number < len(lesson.steps):
            st.button("Next step", key="next", type="primary", on_click=progress.go_to, args=(lesson, number + 1))
            return
        following = _following(lesson)
        if following is not None:
            st.button(
                f"Next lesson: {markdown(following.title)}",
                key="next",
                type="primary",
                on_click=progress.open_lesson,
                args=(following,),
            )


def _following(lesson: Lesson) -> Lesson | None:
    lessons = list(library.available()[0].values())
    keys = [other.key for other in lessons]
    place = keys.index(lesson.key) + 1
    return lessons[place] if place < len(lessons) else None


def _as_code(lesson: Lesson, context: Context, number: int | None) -> None:
    """The Python of a step's views, of all steps for None; nothing where a step has none."""
    steps = lesson.steps if number is None else lesson.steps[number - 1 : number]
    if not any(isinstance(block, Show) for step in steps for block in step.blocks):
        return
    chosen = "" if number is None else f"[{number - 1}:{number}]"
    shared.as_code(
        name=f"lesson-{lesson.key}",
        python=(
            "from bortlab import lessons\nfrom bortlab.views.theme import Look\n\n"
            f"lesson = lessons.find({lesson.key!r})\ncontext = lessons.of_registry(Look({context.look.mode!r}))\n"
            f"for step in lesson.steps{chosen}:\n"
            "    for block in step.blocks:\n"
            "        if isinstance(block, lessons.Show):\n"
            "            for _, view in lessons.draw(block, lesson.header.settings, context).pictures:\n"
            "                view.show()\n"
        ),
        says={},
    )


def _sheets(lesson: Lesson, context: Context) -> None:
    """The lesson on paper, and its link."""

    def sheet(answers: bool) -> Callable[[], str]:
        return lambda: library.sheet(lesson, context, answers=answers)

    with st.container(horizontal=True):
        for label, name, answers in (("Sheet for the class", "sheet", False), ("Sheet with answers", "answers", True)):
            st.download_button(
                label,
                sheet(answers),
                f"{lesson.key}-{name}.html",
                "text/html",
                on_click="ignore",
                icon=":material/print:",
            )
        with st.popover("Links", icon=":material/link:"):
            st.caption("Each opens the lesson at a step.")
            base = (st.context.url or "").split("?")[0]
            links = [f"{base}?lesson={lesson.key}&step={number}" for number in range(1, len(lesson.steps) + 1)]
            st.code("\n".join(links), language=None, wrap_lines=True)


def _sources(lesson: Lesson) -> None:
    lines = [f"* [{source.paper}]({source.url}), {source.section}" for source in lesson.header.sources]
    with st.expander("Sources"):
        st.markdown("\n".join(lines))
