"""A visitor who speaks Streamlit's websocket protocol, as the browser does, for fifty fit where one Chromium would not.

    async with Visitor(port) as visitor:
        run = await visitor.visit("predict")
        run = await visitor.write("text", "A beagle is a kind of [MASK].")
        run.exceptions, run.seconds

A rerun is one `BackMsg`, answered by a stream of `ForwardMsg`: `new_session`, then deltas, then `script_finished`. A
delta that the visitor has said to hold comes as `ref_hash` alone (Streamlit 1.67: elements of 10 kB and more, held for
`max_cached_message_age` runs). A run that another one overtook never says `script_finished`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

T = TypeVar("T")


@dataclass(slots=True)
class Run:
    """What one run of the page's script sent until it said that it had finished.

    page: hash of the page that ran; seconds: from the first request to the end; n_bytes: of all messages.
    """

    page: str = ""
    elements: list[Element] = field(default_factory=list)
    seconds: float = 0.0
    n_bytes: int = 0
    n_messages: int = 0
    n_references: int = 0
    finished: bool = False

    def of(self, kind: str) -> list[Element]:
        """The elements of one kind, such as "alert"."""
        return [element for element in self.elements if element.WhichOneof("type") == kind]

    @property
    def exceptions(self) -> list[str]:
        """What exception elements say; a page must never show one."""
        return [f"{e.exception.type}: {e.exception.message}" for e in self.of("exception")]

    @property
    def alerts(self) -> list[str]:
        """Boxes of information, warning and error."""
        return [element.alert.body for element in self.of("alert")]

    @property
    def charts(self) -> list[str]:
        """What the charts say to those who cannot see them."""
        return [element.plotly_chart.alt for element in self.of("plotly_chart")]


class Visitor:
    """One browser tab: a websocket, the widgets it has touched, the messages it holds."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.query: dict[str, str] = {}
        self.page = ""  # hash of the present page
        self.widgets: dict[str, str] = {}  # key of a widget -> its id
        self.touched: dict[str, WidgetState] = {}  # id -> state
        self.held: dict[str, tuple[ForwardMsg, int]] = {}  # hash -> message, number of the run that last used it
        self.n_runs = 0
        self._socket: ClientConnection | None = None

    async def __aenter__(self) -> Self:
        self._socket = await connect(
            f"ws://127.0.0.1:{self.port}/_stcore/stream",
            subprotocols=["streamlit"],  # type: ignore[list-item]  # a NewType of str
            origin=f"http://127.0.0.1:{self.port}",  # type: ignore[arg-type]
            max_size=None,
            open_timeout=30,
            compression=None,
            proxy=None,
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.socket.close()

    @property
    def socket(self) -> ClientConnection:
        """The open websocket."""
        if self._socket is None:
            raise RuntimeError("The visitor is not there yet: use `async with Visitor(port) as visitor`.")
        return self._socket

    async def visit(self, page: str = "", query: dict[str, str] | None = None, *, limit_s: float = 60) -> Run:
        """Open a page by the end of its address, "" for the first one."""
        self.query, self.page = dict(query or {}), ""
        started = await self.send(page_name=page)
        return await self.answer(started, limit_s=limit_s)

    async def write(self, key: str, text: str, *, limit_s: float = 60) -> Run:
        """Write into the text box with this key, as a box that is bound to the link, and wait for the page."""
        return await self.answer(await self.type(key, text), limit_s=limit_s)

    async def type(self, key: str, text: str) -> float:
        """`write` without waiting, as one who goes on typing; the time of the request."""
        self.query[key] = text
        self.touched[self.widgets[key]] = WidgetState(id=self.widgets[key], string_value=text)
        return await self.send()

    async def rerun(self, *, limit_s: float = 60) -> Run:
        """Ask for the same once more."""
        return await self.answer(await self.send(), limit_s=limit_s)

    async def send(self, *, page_name: str = "") -> float:
        """Request a run; returns the time of the request."""
        message = BackMsg()
        state = message.rerun_script
        state.query_string = urlencode(self.query)
        state.page_script_hash, state.page_name = self.page, page_name
        state.widget_states.widgets.extend(self.touched.values())
        state.cached_message_hashes.extend(self.held)
        context = state.context_info
        context.timezone, context.timezone_offset, context.locale = "Europe/Berlin", -60, "en-GB"
        context.url, context.color_scheme = f"http://127.0.0.1:{self.port}/{page_name}", "light"
        started = time.perf_counter()
        await self.socket.send(message.SerializeToString())
        return started

    async def answer(self, started: float, *, limit_s: float = 60) -> Run:
        """Everything up to the next end of a run. Not finished after limit_s: `run.finished` is False."""
        run = Run()
        try:
            async with asyncio.timeout(limit_s):
                while not run.finished:
                    data = await self.socket.recv(decode=False)
                    run.n_bytes, run.n_messages = run.n_bytes + len(data), run.n_messages + 1
                    run = self._take(ForwardMsg.FromString(data), run)
        except TimeoutError:
            pass
        run.seconds = time.perf_counter() - started
        return run

    def _take(self, message: ForwardMsg, run: Run) -> Run:
        if message.WhichOneof("type") == "ref_hash":
            run.n_references += 1
            message = self.held[message.ref_hash][0]
        if message.metadata.cacheable:
            self.held[message.hash] = (message, self.n_runs)
        match message.WhichOneof("type"):
            case "new_session":  # whatever came before belonged to a run that this one overtook
                self.n_runs += 1
                self._drop(message.new_session.config.max_cached_message_age)
                run = Run(n_bytes=run.n_bytes, n_messages=run.n_messages)
            case "navigation":
                self.page = run.page = message.navigation.page_script_hash
            case "delta" if message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                run.elements.append(element)
                widget = getattr(element, element.WhichOneof("type") or "empty")
                if widget_id := getattr(widget, "id", ""):  # "$$ID-<hash>-<key>"
                    self.widgets[str(widget_id).split("-", 2)[-1]] = widget_id
            case "script_finished":
                run.finished = message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN
        return run

    def _drop(self, age: int) -> None:
        """Let go of messages that the last `age` runs did not use."""
        self.held = {key: kept for key, kept in self.held.items() if self.n_runs - kept[1] <= age}


def in_a_thread(body: Coroutine[Any, Any, T]) -> T:
    """asyncio.run beside Playwright, whose loop of the browser tests still runs in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, body).result()


async def get(port: int, path: str, *, limit_s: float = 10) -> str:
    """The body of a page of the server, over a connection of its own."""
    async with asyncio.timeout(limit_s):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
            answer = (await reader.read()).decode()
        finally:
            writer.close()
            await writer.wait_closed()
    head, _, body = answer.partition("\r\n\r\n")
    if " 200 " not in head.splitlines()[0]:
        raise ConnectionError(f"{path} answered {head.splitlines()[0]!r}.")
    return body
