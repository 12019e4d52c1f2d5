"""The worker pool: equal requests once, a bounded queue, waits that end, and failures that reach those who asked."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import torch

from bortlab.system import machine
from bortlab.system.errors import BusyError
from bortlab.work.pool import ComputationError, Pool, PoolStats, configure_torch


@pytest.fixture
def pool() -> Iterator[Pool]:
    """One worker, three may wait."""
    with Pool(workers=1, queue=3) as pool:
        yield pool


@pytest.fixture
def visitors() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as executor:
        yield executor


class Gate:
    """A computation that starts, and ends when told."""

    def __init__(self) -> None:
        self.started, self.opened = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.started.set()
        assert self.opened.wait(10)
        return "through"


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


def until(true: Callable[[], bool]) -> None:
    """Wait for something that other threads bring about."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.001)


def occupy(pool: Pool, visitors: ThreadPoolExecutor, gate: Gate) -> Future[str]:
    """Keep the pool's one worker busy until the gate opens."""
    running = visitors.submit(pool.run, "gate", gate)
    assert gate.started.wait(10)
    return running


# -- computing once ----------------------------------------------------------------------------------------------------


def test_a_worker_computes_and_the_result_is_kept(pool: Pool) -> None:
    calls: list[str] = []

    def compute() -> str:
        calls.append(threading.current_thread().name)
        return "answer"

    assert [pool.run(("f", 1), compute) for _ in range(3)] == ["answer"] * 3
    assert calls == ["bortlab-worker-0"]
    assert pool.stats() == PoolStats(queued=0, running=0, done=1, shared=2, rejected=0)
    pool.forget()
    assert pool.run(("f", 1), compute) == "answer" and len(calls) == 2


def test_equal_requests_share_one_computation(pool: Pool, visitors: ThreadPoolExecutor, gate: Gate) -> None:
    calls: list[int] = []

    def compute() -> int:
        calls.append(1)
        return len(calls)

    running = [occupy(pool, visitors, gate), *(visitors.submit(pool.run, "gate", gate) for _ in range(9))]
    queued = [visitors.submit(pool.run, "same", compute) for _ in range(10)]
    until(lambda: pool.stats().shared == 18)
    assert pool.stats() == PoolStats(queued=1, running=1, done=0, shared=18, rejected=0)
    gate.opened.set()
    assert {future.result(10) for future in running} == {"through"}
    assert {future.result(10) for future in queued} == {1} and calls == [1]


def test_none_is_a_result_too(pool: Pool) -> None:
    calls: list[int] = []
    assert [pool.run("none", lambda: calls.append(1)) for _ in range(2)] == [None, None]
    assert len(calls) == 1


def test_finished_results_are_bounded_in_number_and_bytes() -> None:
    with Pool(workers=1, results=2, results_mb=1) as pool:
        for key in (1, 2, 1, 3):
            pool.run(key, lambda key=key: key)  # type: ignore[misc]
        assert list(pool._results) == [1, 3]
        pool.run("large", lambda: (torch.zeros(100_000), {"x": [torch.zeros(200_000)]}))  # 1.2 MB in all
        assert list(pool._results) == [1, 3]
        pool.run("half", lambda: torch.zeros(150_000))
        pool.run("other half", lambda: torch.zeros(150_000))
        assert list(pool._results) == ["other half"]


# -- limits ------------------------------------------------------------------------------------------------------------


def test_a_full_queue_says_busy(pool: Pool, visitors: ThreadPoolExecutor, gate: Gate) -> None:
    running = occupy(pool, visitors, gate)
    queued = [visitors.submit(pool.run, number, lambda: "done") for number in range(3)]
    until(lambda: pool.stats().queued == 3)
    with pytest.raises(BusyError, match=r"busy: 3 requests are waiting.*Try again") as caught:
        pool.run("one more", lambda: "never")
    assert caught.value.waiting == 3 and pool.stats().rejected == 1
    joined = visitors.submit(pool.run, 0, lambda: "other")  # an equal request needs no place
    until(lambda: pool.stats().shared == 1)
    gate.opened.set()
    assert [future.result(10) for future in (running, *queued, joined)] == ["through", *["done"] * 4]


def test_waiting_has_an_end(pool: Pool, visitors: ThreadPoolExecutor, gate: Gate) -> None:
    running = occupy(pool, visitors, gate)
    with pytest.raises(BusyError, match="no answer in time"):
        pool.run("late", lambda: pytest.fail("computed, though nobody waits"), timeout=0.01)
    with pytest.raises(BusyError):
        pool.run("gate", gate, timeout=0)
    assert pool.stats().queued == 0 and pool.stats().rejected == 2
    gate.opened.set()
    assert running.result(10) == "through"
    assert pool.run("gate", lambda: "again") == "through"  # what ran is kept, whoever gave up


class Stop(BaseException):
    """As Streamlit's StopException: no Exception."""


def test_a_stopped_visitor_leaves_the_queue(pool: Pool, visitors: ThreadPoolExecutor, gate: Gate) -> None:
    running = occupy(pool, visitors, gate)
    steps: list[int] = []

    def tick() -> None:
        steps.append(pool.stats().queued)
        raise Stop

    other = visitors.submit(pool.run, "shared", lambda: "for the other")
    until(lambda: pool.stats().queued == 1)
    with pytest.raises(Stop):
        pool.run("shared", lambda: "not this one", tick=tick)
    with pytest.raises(Stop):
        pool.run("alone", lambda: pytest.fail("computed, though nobody waits"), tick=tick)
    assert steps == [1, 2] and pool.stats().queued == 1
    gate.opened.set()
    assert (running.result(10), other.result(10)) == ("through", "for the other")
    assert pool.run("alone", lambda: "anew") == "anew"


# -- failures ----------------------------------------------------------------------------------------------------------


def test_an_exception_reaches_every_waiter_and_is_not_kept(
    pool: Pool, visitors: ThreadPoolExecutor, gate: Gate
) -> None:
    def fail() -> str:
        raise LookupError("no such thing")

    running = occupy(pool, visitors, gate)
    asked = [visitors.submit(pool.run, "bad", fail) for _ in range(5)]
    until(lambda: pool.stats().shared == 4)
    gate.opened.set()
    errors = [future.exception(10) for future in asked]
    assert all(isinstance(error, LookupError) for error in errors)
    assert running.result(10) == "through" and pool.run("bad", lambda: "mended") == "mended"


def test_a_panic_kills_neither_worker_nor_page(pool: Pool) -> None:
    class PanicException(BaseException):
        """As pyo3's."""

    for death in (PanicException("called `Option::unwrap()`"), SystemExit(3), KeyboardInterrupt(), Stop()):

        def die(death: BaseException = death) -> None:
            raise death

        with pytest.raises(ComputationError, match=type(death).__name__) as caught:
            pool.run("panic", die)
        assert caught.value.__cause__ is death
    assert pool.run("after", lambda: 1) == 1 and pool.stats().done == 5


def test_a_result_that_cannot_be_weighed_is_a_failure_and_no_death(pool: Pool) -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(RecursionError):
        pool.run("loop", lambda: loop)
    assert pool.run("after", lambda: 1) == 1


def test_a_request_from_inside_a_worker_is_computed_at_once(pool: Pool) -> None:
    assert pool.run("outer", lambda: pool.run("inner", lambda: "nested")) == "nested"


# -- life and death ----------------------------------------------------------------------------------------------------


def test_close_finishes_what_was_asked(visitors: ThreadPoolExecutor) -> None:
    pool, gate = Pool(workers=1), Gate()
    running = occupy(pool, visitors, gate)
    queued = visitors.submit(pool.run, "queued", lambda: "done")
    until(lambda: pool.stats().queued == 1)
    closing = visitors.submit(pool.close)
    until(lambda: pool._closed)
    with pytest.raises(BusyError, match="shutting down"):
        pool.run("new", lambda: "never")
    gate.opened.set()
    closing.result(10)
    assert (running.result(10), queued.result(10)) == ("through", "done")
    assert not any(thread.is_alive() for thread in pool._threads)
    pool.close()


def test_close_does_not_wait_for_ever(visitors: ThreadPoolExecutor) -> None:
    pool, gate = Pool(workers=1), Gate()
    running = occupy(pool, visitors, gate)
    queued = visitors.submit(pool.run, "queued", lambda: "never")
    until(lambda: pool.stats().queued == 1)
    pool.close(timeout=0.01)
    assert isinstance(queued.exception(10), BusyError)
    gate.opened.set()
    assert running.result(10) == "through"


def test_the_default_pool_is_one_and_drains_when_python_ends(visitors: ThreadPoolExecutor) -> None:
    code = (
        "import threading, time; from bortlab.work.pool import default_pool, configure_torch; configure_torch(); "
        "work = lambda: (started.set(), time.sleep(0.2), print('finished')); started = threading.Event(); "
        "threading.Thread(target=default_pool().run, args=('x', work), daemon=True).start(); started.wait()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "finished\n", "")


@pytest.mark.parametrize(("workers", "queue"), [(0, 1), (1, 0)])
def test_a_pool_needs_a_worker_and_a_place(workers: int, queue: int) -> None:
    with pytest.raises(ValueError, match="at least 1 worker"):
        Pool(workers=workers, queue=queue)


# -- the machine -------------------------------------------------------------------------------------------------------


def test_workers_and_their_threads_fit_the_cores() -> None:
    before = torch.get_num_threads()
    try:
        configure_torch()
        with Pool() as pool:
            assert len(pool._threads) * pool.run("threads", torch.get_num_threads) <= machine.cores()
        torch.set_num_threads(1000)
        with Pool() as pool:
            assert len(pool._threads) == 1
    finally:
        torch.set_num_threads(before)
