"""Names the packages; everything else is in pyproject.toml.

`cli/` and `recipes/` are top-level folders installed as `kerazoo.cli` and `kerazoo.recipes`
(see `package-dir` in pyproject.toml), which setuptools' search for packages cannot find.
"""

from setuptools import find_packages, setup

ELSEWHERE = ["kerazoo.cli", "kerazoo.recipes", "kerazoo.recipes.tiny"]

setup(packages=[*find_packages(include=["kerazoo", "kerazoo.*"]), *ELSEWHERE])
