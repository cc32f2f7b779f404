"""Work in a thread beside: done in order, and nothing that goes wrong there is lost."""

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from bridge.adapters.sqlite.file.bulk import WorkerThread


@pytest.fixture
def beside() -> Iterator[WorkerThread]:
    started = WorkerThread()
    yield started
    started.close()


def test_all_work_is_done_in_the_order_given(beside: WorkerThread) -> None:
    done: list[int] = []
    for number in range(100):
        beside.submit(partial(done.append, number))

    beside.wait()

    assert done == list(range(100))


def test_the_work_is_done_in_another_thread(beside: WorkerThread) -> None:
    threads: list[int] = []
    beside.submit(lambda: threads.append(threading.get_ident()))

    beside.wait()

    assert threads != [threading.get_ident()]


def _fail() -> None:
    raise ZeroDivisionError


def test_what_the_work_raises_comes_out_where_it_is_waited_for(beside: WorkerThread) -> None:
    beside.submit(_fail)

    with pytest.raises(ZeroDivisionError):
        beside.wait()


def test_what_the_work_raises_is_not_outrun_by_more_work(beside: WorkerThread) -> None:
    beside.submit(_fail)

    with pytest.raises(ZeroDivisionError):
        _do_much_more(beside)


def _do_much_more(beside: WorkerThread) -> None:
    for _ in range(100):
        beside.submit(lambda: None)


def test_closing_ends_the_thread_and_leaves_nothing_under_way(beside: WorkerThread) -> None:
    threads: list[threading.Thread] = []
    beside.submit(lambda: threads.append(threading.current_thread()))
    beside.wait()
    beside.submit(_fail)

    beside.close()

    assert not threads[0].is_alive()
    beside.wait()


def test_closing_what_never_worked_is_nothing(beside: WorkerThread) -> None:
    beside.close()
    beside.close()
