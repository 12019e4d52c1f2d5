"""What the lab does behind its first page, once."""

from __future__ import annotations

import threading

import pytest

from bortlab.ui import startup


def test_memory_is_given_back_by_one_thread_that_ends_with_the_process() -> None:
    startup.warm_up()
    startup.warm_up()
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "give back memory")
    assert thread.daemon


def test_memory_is_given_back_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []

    def give_back() -> None:
        given.append(1)
        if len(given) == 3:
            raise SystemExit  # ends the thread

    monkeypatch.setattr(startup, "GIVE_BACK_S", 0.001)
    monkeypatch.setattr(startup, "give_back_memory", give_back)
    thread = threading.Thread(target=startup._give_back)
    thread.start()
    thread.join(60)
    assert not thread.is_alive() and len(given) == 3
