"""Work that overlaps: while the network answers, what comes next is read and what is done is written."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = 2
"""Threads of a stage. Decoding and encoding of images let other threads run meanwhile."""

DEPTH = 2
"""Results of a stage that wait for the next one. They bound memory: an image may have 100 megapixels."""


def stage(function: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
    """Yield what a function makes of each item, in order, made in threads a few items ahead.

    The items themselves are asked for in the caller's thread.

    Raises:
        Exception: what the function raises, in its turn.
    """
    pool = ThreadPoolExecutor(WORKERS)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > DEPTH:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
