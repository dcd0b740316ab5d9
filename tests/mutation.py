"""Small changes to modules, of which their tests should notice every one.

    python tests/mutation.py                                    every module, 30 changes of each
    python tests/mutation.py --modules openpose structures/warp --sample 0      all changes of some

A change swaps an operator or a comparison, negates a condition, leaves out a minus, changes a constant or
an index by one, or takes the other of two functions such as minimum and maximum. Each runs the module's
tests (`MODULES`) in a child process, which is forked after NumPy, Keras and PyTorch are loaded. What is
printed: the changes that no test noticed, and the share that some test did.

Changes that nobody can notice, because the module does the same with them, are named with the reason in
`mutation_equivalent.toml` and do not count.
"""

import argparse
import ast
import copy
import os
import random
import signal
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
EQUIVALENT = Path(__file__).with_name("mutation_equivalent.toml")

PATIENCE = 10
"""A change whose tests take so many times longer than without it is noticed."""

_POSE = ("tests/tasks/test_oks.py",)
_OPENPOSE = (
    "tests/families/test_openpose_grouping.py",
    "tests/families/test_openpose_family.py",
)
_EPISODES = ("tests/test_structures.py", "tests/tasks/test_fewshot.py", "tests/data/test_by_class.py")

_BOXES = ("tests/data/test_detection_formats.py", "tests/data/test_detection_bad.py")

MODULES = {
    "data/detection/annotated.py": _BOXES,
    "data/detection/class_names.py": _BOXES,
    "data/detection/coco.py": _BOXES,
    "data/detection/layout.py": _BOXES,
    "data/detection/source.py": _BOXES,
    "data/detection/voc.py": _BOXES,
    "data/detection/writing.py": ("tests/cli/test_data_convert.py",),
    "data/detection/xml_file.py": _BOXES,
    "data/detection/yolo.py": _BOXES,
    "data/mosaic.py": ("tests/data/test_boxes_mosaic.py",),
    "structures/boxes.py": ("tests/data/test_boxes_structure.py",),
    "structures/episodes.py": _EPISODES,
    "structures/images.py": ("tests/test_structures.py", "tests/data/test_unpaired.py"),
    "structures/keypoints.py": ("tests/test_structures.py", "tests/data/test_keypoints.py"),
    "structures/label.py": ("tests/test_structures.py",),
    "structures/mask.py": ("tests/test_structures.py",),
    "structures/pairs.py": ("tests/test_structures.py",),
    "structures/placement.py": (
        "tests/test_structures.py",
        "tests/tasks/test_tiling.py",
        "tests/families/test_hrnet_framing.py",
    ),
    "structures/skeleton.py": ("tests/test_skeleton.py",),
    "structures/warp.py": ("tests/data/test_warp.py",),
    "families/hrnet/codec.py": ("tests/families/test_hrnet_codec.py",),
    "families/openpose/codec.py": _OPENPOSE,
    "families/openpose/peaks.py": _OPENPOSE,
    "families/openpose/grouping.py": _OPENPOSE,
    "tasks/classification/scores.py": ("tests/tasks/test_classification.py",),
    "tasks/segmentation/scores.py": ("tests/tasks/test_confusion.py",),
    "tasks/segmentation/tiling.py": ("tests/tasks/test_tiling.py",),
    "tasks/verification/scores.py": ("tests/tasks/test_verification_scores.py",),
    "tasks/verification/distances.py": ("tests/tasks/test_verification_scores.py",),
    "tasks/pose/oks.py": _POSE,
    "tasks/pose/pck.py": _POSE,
    "tasks/pose/similarity.py": _POSE,
    "tasks/translation/fid.py": ("tests/tasks/test_likeness.py",),
    "tasks/translation/blending.py": ("tests/tasks/test_blending.py",),
    "data/segmentation/border.py": ("tests/data/test_border.py",),
    "data/regions.py": ("tests/data/test_coco_exports.py", "tests/data/test_keypoints.py"),
    "objective.py": ("tests/test_objective.py", "tests/tasks/test_segmentation_objective.py"),
}
"""The tests of each module of `kerazoo/`."""

ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.And: ast.Or,
    ast.Or: ast.And,
}

COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}

_PAIRS = (
    ("min", "max"),
    ("minimum", "maximum"),
    ("floor", "ceil"),
    ("argmin", "argmax"),
    ("any", "all"),
    ("cos", "sin"),
)
FUNCTIONS = dict(_PAIRS) | {other: one for one, other in _PAIRS}


class Mutant(NamedTuple):
    """A changed module.

    Attributes:
        module: path in `kerazoo/`.
        line: of the change.
        where: the function or class that it is in, or "" at the top of the module.
        change: the expression before and after.
        tree: the module's syntax.
    """

    module: str
    line: int
    where: str
    change: str
    tree: ast.Module


# --- changes --------------------------------------------------------------------------------


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    """Return what a node may be changed to."""
    kind = type(getattr(node, "op", None))
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and kind in ARITHMETIC:
        yield _with(node, op=ARITHMETIC[kind]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not | ast.Invert):
        yield node.operand
    elif isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in COMPARISONS[type(operator)]:
                yield _with(node, ops=[*node.ops[:place], other(), *node.ops[place + 1 :]])
    elif isinstance(node, ast.IfExp | ast.If | ast.While) and isinstance(node.test, ast.Name | ast.Call):
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Name) and node.id in FUNCTIONS:
        yield _with(node, id=FUNCTIONS[node.id])
    elif isinstance(node, ast.Attribute) and node.attr in FUNCTIONS:
        yield _with(node, attr=FUNCTIONS[node.attr])


def _constants(node: ast.Constant) -> Iterator[ast.Constant]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
    elif isinstance(value, float):
        yield ast.Constant(value * 2 or 1.0)


def _with(node: ast.AST, **changes: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in changes.items():
        setattr(other, name, value)
    return other


_NOT_RUN = {"annotation", "returns", "decorator_list", "bases", "keywords"}
"""Parts of definitions that say what something is and not what it does."""


def places(node: ast.AST, where: str = "") -> Iterator[tuple[ast.AST, str, int | None, str]]:
    """Return every part of a syntax tree: its parent, the field, the place in a list, the function."""
    for field, value in ast.iter_fields(node):
        if isinstance(node, ast.Raise) or (field in _NOT_RUN and not isinstance(node, ast.Call)):
            continue  # and messages are words
        if isinstance(node, ast.keyword) and node.arg == "strict":
            continue  # zip(strict=True) only says that lengths are equal
        for place, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr):
                continue
            yield node, field, place if isinstance(value, list) else None, where
            name = child.name if isinstance(child, ast.FunctionDef | ast.ClassDef) else ""
            yield from places(child, ".".join(filter(None, (where, name))))


def mutants(module: str) -> Iterator[Mutant]:
    """Return every changed version of a module of `kerazoo/`."""
    tree = ast.parse((ROOT / "kerazoo" / module).read_text())
    for parent, field, place, where in list(places(tree)):
        value = getattr(parent, field)
        node = value if place is None else value[place]
        for other in replacements(node):
            ast.copy_location(other, node)
            _put(parent, field, place, other)
            changed = ast.fix_missing_locations(copy.deepcopy(tree))
            before, after = _shown(node), _shown(other)
            _put(parent, field, place, node)
            context = f" in {_shown(parent)}" if isinstance(node, ast.Constant | ast.Name) else ""
            yield Mutant(module, node.lineno, where, f"{before} -> {after}{context}", changed)


def _put(parent: ast.AST, field: str, place: int | None, node: ast.AST) -> None:
    if place is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[place] = node


def _shown(node: ast.AST) -> str:
    head = node.test if isinstance(node, ast.If | ast.While) else node
    return " ".join(ast.unparse(head).split())[:100]


# --- runs -----------------------------------------------------------------------------------


def run(tests: Sequence[str], mutant: Mutant | None, log: Path) -> int:
    """Start a child that runs tests on a changed module, or on all as they are; return its id."""
    child = os.fork()
    if child:
        return child
    try:
        os.setpgid(0, 0)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1), os.dup2(output, 2)
        if mutant is not None:
            _install(mutant)
        import pytest

        code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", *tests])
    except BaseException:
        code = 1
    os._exit(int(code))


def _install(mutant: Mutant) -> None:
    """Have the module's name import the changed tree."""
    path = str(ROOT / "kerazoo" / mutant.module)
    code = compile(mutant.tree, path, "exec")
    unchanged = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, name: str) -> object:
        return code if self.path == path else unchanged(self, name)

    SourceFileLoader.get_code = get_code


def waited(child: int, limit: float) -> int | None:
    """Return a child's exit code, or None where it was stopped at the time limit, in seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        finished, status = os.waitpid(child, os.WNOHANG)
        if finished:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def preload() -> None:
    """Load what takes long and is not under test."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    os.chdir(ROOT)
    sys.path[0] = str(ROOT)
    import cv2
    import faster_coco_eval
    import grain
    import keras
    import numpy
    import pydantic
    import pytest
    import torch

    keras.utils.set_random_seed(0)  # as every test does; it loads TensorFlow where that is installed
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    assert all((faster_coco_eval, grain, keras, numpy, pydantic, pytest))


def equivalent() -> dict[tuple[str, str, str], str]:
    """Return the reasons why changes do nothing: by module, function and change."""
    entries = tomllib.loads(EQUIVALENT.read_text())["equivalent"]
    return {(entry["module"], entry["where"], entry["change"]): entry["reason"] for entry in entries}


def asked(module: str, sample: int, seed: int) -> tuple[list[Mutant], int]:
    """Return changes of a module, `sample` of them or all for 0, and how many more do nothing."""
    known = equivalent()
    every = list(mutants(module))
    chosen = random.Random(f"{seed} {module}").sample(every, min(sample or len(every), len(every)))
    chosen.sort(key=lambda mutant: mutant.line)
    real = [mutant for mutant in chosen if (module, mutant.where, mutant.change) not in known]
    return real, len(chosen) - len(real)


def survivors(module: str, chosen: Sequence[Mutant], log: Path) -> list[Mutant]:
    """Return the changes of a module that its tests do not notice."""
    tests, start = MODULES[module], time.monotonic()
    if (code := waited(run(tests, None, log), 600)) != 0:
        sys.exit(f"the tests of {module} end with {code} on the module as it is: see {log}")
    limit = 10 + PATIENCE * (time.monotonic() - start)
    return [mutant for mutant in chosen if waited(run(tests, mutant, log), limit) == 0]


def main() -> None:
    """Print the changes that were not noticed and, by module, how many were."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--modules", nargs="+", default=[""], help="parts of paths in kerazoo/; default: all")
    parser.add_argument("--sample", type=int, default=30, help="changes of each module; 0: all")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--log", type=Path, default=Path(os.devnull), help="pytest's output of the last run")
    options = parser.parse_args()
    preload()
    total = caught = 0
    for module in MODULES:
        if not any(part in module for part in options.modules):
            continue
        start = time.monotonic()
        chosen, idle = asked(module, options.sample, options.seed)
        missed = survivors(module, chosen, options.log)
        total, caught = total + len(chosen), caught + len(chosen) - len(missed)
        seconds = time.monotonic() - start
        print(
            f"{module}: {len(chosen) - len(missed)} of {len(chosen)} noticed, {idle} equivalent, "
            f"{seconds:.0f} s",
            flush=True,
        )
        for mutant in missed:
            print(f"  kerazoo/{module}:{mutant.line} {mutant.where}: {mutant.change}", flush=True)
    print(f"{caught} of {total} noticed: {caught / max(total, 1):.1%}")


if __name__ == "__main__":
    main()
