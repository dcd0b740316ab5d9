"""Every public builder has an example in its docstring, and it runs as it is written."""

import doctest

import pytest

import kerazoo

PUBLIC = {f"models.{name}": getattr(kerazoo.models, name) for name in kerazoo.models.__all__} | {
    "load_recipe": kerazoo.load_recipe
}


def examples(function):
    """Return the doctest of one function, without names of the module that it stands in."""
    return doctest.DocTestParser().get_doctest(function.__doc__ or "", {}, function.__name__, None, 0)


@pytest.mark.parametrize("name", PUBLIC)
def test_the_example_shows_a_result(name):
    shown = [example for example in examples(PUBLIC[name]).examples if example.want]
    assert shown, f"kerazoo.{name} has no example that shows a result"


@pytest.mark.parametrize("name", PUBLIC)
def test_the_example_runs_as_written(name):
    report = []
    doctest.DocTestRunner(verbose=False).run(examples(PUBLIC[name]), out=report.append)
    assert not report, "".join(report)
