import threading

import pytest
import scipy.linalg  # noqa: F401
import threadpoolctl

from banach.core import blas_threads


def threads():
    """What every BLAS library of this process would use now."""
    return {
        lib["filepath"]: lib["num_threads"]
        for lib in threadpoolctl.threadpool_info()
        if lib["user_api"] == "blas"
    }


@pytest.fixture
def two():
    """Two threads, also on a machine with one core."""
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = threads()
        assert set(before.values()) == {2}
        yield before


def test_small_data_get_one_thread_and_large_data_what_there_is(two):
    with blas_threads.threads_for(blas_threads.SMALL - 1):
        assert set(threads().values()) == {1}
    assert threads() == two
    with blas_threads.threads_for(blas_threads.SMALL):
        assert threads() == two


def test_blocks_nest_and_the_first_thread_gives_the_threads_back(two):
    entered, leave = threading.Event(), threading.Event()

    def other():
        with blas_threads.threads_for(0):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with blas_threads.threads_for(0):
        with blas_threads.threads_for(0):
            thread.start()
            assert entered.wait(10)
        assert set(threads().values()) == {1}
    assert threads() == two
    leave.set()
    thread.join()
    # The other one does not give back what it found.
    assert threads() == two
    with blas_threads.threads_for(0):
        assert set(threads().values()) == {1}


def test_an_error_inside_gives_the_threads_back(two):
    with pytest.raises(ZeroDivisionError), blas_threads.threads_for(0):
        raise ZeroDivisionError
    assert threads() == two


def test_a_library_that_comes_inside_the_block_is_limited_too(two, monkeypatch):
    asked = []
    found = blas_threads._controller
    monkeypatch.setattr(
        blas_threads, "_controller", lambda k: (asked.append(k), found(k))[1]
    )
    monkeypatch.setattr(blas_threads, "_loaded", lambda: (True, False))
    with blas_threads.threads_for(0):
        monkeypatch.setattr(blas_threads, "_loaded", lambda: (True, True))
        with blas_threads.threads_for(0):
            assert set(threads().values()) == {1}
    assert asked == [(True, False), (True, True)]
    assert threads() == two
