"""Stages of work: in order, a few items ahead, and without what was not asked for."""

import threading
import time

import pytest

from kerazoo.engine.pipeline import DEPTH, stage


def test_results_come_in_order_whatever_takes_longest():
    def slow_first(number):
        time.sleep(0.02 if number == 0 else 0)
        return 10 * number

    assert list(stage(slow_first, range(7))) == [10 * number for number in range(7)]


def test_no_more_than_a_few_items_are_taken_beforehand():
    taken = []
    items = stage(lambda number: number, (taken.append(n) or n for n in range(100)))
    assert next(items) == 0
    assert len(taken) == DEPTH + 1
    items.close()
    assert len(taken) == DEPTH + 1


def test_items_are_asked_for_in_the_callers_thread_and_worked_on_in_others():
    def items():
        for _ in range(3):
            yield threading.get_ident()

    pairs = stage(lambda asked: (asked, threading.get_ident()), items())
    assert all(asked == threading.get_ident() != worked for asked, worked in pairs)


def test_what_fails_fails_in_its_turn():
    results = stage(lambda number: 1 / (number - 2), range(5))
    assert [next(results), next(results)] == [-0.5, -1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)
