"""The architecture, asked of the source (docs/architecture.md says why)."""

import ast
import graphlib
import re
import statistics
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FAMILIES = sorted(path.parent.name for path in ROOT.glob("kerazoo/families/*/__init__.py"))

# Arrows point down: a module imports from its own layer and from those below it.
LAYERS = [
    {"cli", "recipes"},
    {"engine", "models", "optimizer", "recipe", "run"},
    {"families"},
    {"tasks"},
    {"checkpoints", "data", "layers", "objective", "task"},
    {"structures"},
    {"backend", "draw", "errors", "files", "image", "media", "ordering", "settings", "video"},
]
BACKENDS = {"jax", "tensorflow", "torch"}


def module_name(path: Path) -> str:
    """Return the name `path` is imported by: cli/train.py is kerazoo.cli.train."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("kerazoo", *parts) if parts[0] != "kerazoo" else parts).removesuffix(".__init__")


SOURCES = {
    module_name(path): path
    for folder in ("kerazoo", "cli", "recipes")
    for path in sorted(ROOT.glob(f"{folder}/**/*.py"))
}
TREES = {name: ast.parse(path.read_text()) for name, path in SOURCES.items()}
LIBRARY = [name for name in SOURCES if not name.startswith(("kerazoo.cli", "kerazoo.recipes"))]


def imported(tree: ast.Module, name: str, known: Collection[str]) -> set[str]:
    """Return every module that `tree` imports, at its top or inside a function; of `known` the very one."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & set(known)) or {node.module}
    return found


def imports(name: str) -> set[str]:
    return imported(TREES[name], name, SOURCES)


class WithoutTypes(ast.NodeTransformer):
    """Drops what only a type checker imports: it cannot close a circle."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def circle(sources: Mapping[str, str]) -> list[str]:
    """Return modules that import each other in a circle, at their top or later, or none.

    Args:
        sources: text by module.
    """
    trees = {name: WithoutTypes().visit(ast.parse(text)) for name, text in sources.items()}
    graph = {name: imported(tree, name, trees) & trees.keys() - {name} for name, tree in trees.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def layer(name: str) -> int:
    part = name.split(".")[1]
    ranks = [rank for rank, parts in enumerate(LAYERS) if part in parts]
    assert ranks, f"kerazoo/{part} has no place in LAYERS"
    return ranks[0]


def functions(name: str) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(TREES[name]) if isinstance(node, ast.FunctionDef)]


def length(function: ast.FunctionDef) -> int:
    """Return the lines of a function from `def` to its end, without the docstring's."""
    lines = function.end_lineno - function.lineno + 1
    doc = function.body[0]
    if ast.get_docstring(function) is None:
        return lines
    return lines - (doc.end_lineno - doc.lineno + 1)


def public(name: str) -> list[ast.FunctionDef | ast.ClassDef]:
    """Return the public functions and classes at the top of a module."""
    defined = (ast.FunctionDef, ast.ClassDef)
    return [node for node in TREES[name].body if isinstance(node, defined) and node.name[0] != "_"]


@pytest.mark.parametrize("name", sorted(SOURCES.keys() - {"kerazoo"}))
def test_arrows_point_one_way(name):
    targets = {target for target in imports(name) if target.startswith("kerazoo.")}
    assert not {target for target in targets if layer(target) < layer(name)}


def test_no_module_imports_in_a_circle():
    assert not circle({name: path.read_text() for name, path in SOURCES.items()})


@pytest.mark.parametrize(
    "back",
    [
        "import a",
        "from a import x",
        "def later():\n    from a import x",
        "if True:\n    import a",
    ],
)
def test_a_planted_circle_is_found(back):
    assert set(circle({"a": "from b import y", "b": "import c", "c": back})) == {"a", "b", "c"}


def test_what_only_a_type_checker_imports_is_no_circle():
    assert not circle({"a": "from b import y", "b": "if TYPE_CHECKING:\n    from a import x"})


def test_rooms_are_small():
    rooms = {path.parent for path in ROOT.glob("kerazoo/**/*.py")}
    assert not {room: len(files) for room in rooms if len(files := list(room.glob("*.py"))) > 15}


@pytest.mark.parametrize("family", FAMILIES)
def test_families_share_only_their_networks(family):
    own = f"kerazoo.families.{family}"
    for name in SOURCES:
        if name == own or name.startswith(f"{own}."):
            others = {target for target in imports(name) if target.startswith("kerazoo.families.")}
            foreign = {target for target in others if target != own and not target.startswith(f"{own}.")}
            shared = (".model", "kerazoo.families.encoders")
            assert all(target.endswith(shared) for target in foreign), name


@pytest.mark.parametrize("name", SOURCES)
def test_backends_are_named_in_one_place(name):
    allowed = BACKENDS if name.startswith(("kerazoo.backend", "kerazoo.engine.export")) else set()
    allowed |= {
        "kerazoo.checkpoints.torch_weights": {"torch"},  # reads .pth files with weights_only=True
        "kerazoo.layers.operations.on_torch": {"torch"},
        "kerazoo.layers.operations.on_jax": {"jax"},
    }.get(name, set())
    assert {target.split(".")[0] for target in imports(name)} & BACKENDS <= allowed


def test_opencv_is_imported_in_one_place():
    assert [name for name in SOURCES if "cv2" in imports(name)] == ["kerazoo.media.opencv"]


def test_functions_are_short():
    lengths = {f"{name}.{node.name}": length(node) for name in SOURCES for node in functions(name)}
    assert not {key: lines for key, lines in lengths.items() if lines > 80}
    assert statistics.median(lengths.values()) <= 12


def test_files_are_short():
    lengths = [len(path.read_text().splitlines()) for path in SOURCES.values()]
    others = [path for folder in ("tests", "benchmarks") for path in ROOT.glob(f"{folder}/**/*.py")]
    assert not [path for path in (*SOURCES.values(), *others) if len(path.read_text().splitlines()) > 400]
    assert statistics.median(lengths) <= 150


@pytest.mark.parametrize("name", LIBRARY)
def test_public_things_are_documented(name):
    tree = TREES[name]
    assert ast.get_docstring(tree) or not tree.body, f"{name} says not what it is for"
    assert not [node.name for node in public(name) if not ast.get_docstring(node)]


@pytest.mark.parametrize("name", LIBRARY)
def test_public_signatures_are_typed_and_explicit(name):
    for function in (node for node in public(name) if isinstance(node, ast.FunctionDef)):
        told = function.args
        arguments = [*told.posonlyargs, *told.args, *told.kwonlyargs]
        assert function.returns, f"{function.name} does not say what it returns"
        assert not [argument.arg for argument in arguments if not argument.annotation], function.name
        assert told.kwarg is None, f"{function.name} passes keywords through"


def test_no_rooms_for_odds_and_ends():
    parts = {part for name in SOURCES for part in name.split(".")}
    assert not parts & {"base", "common", "helpers", "misc", "utils"}


def test_no_machine_paths():
    path = re.compile(r"(?<![\w.\]}])/(work|tmp|opt|root|home)/\w")  # but not runs/tmp/x or {folder}/tmp/x
    folders = [ROOT / name for name in ("kerazoo", "cli", "recipes", "tests", "benchmarks", "docs", ".ci")]
    files = [file for folder in folders for file in folder.rglob("*")] + list(ROOT.glob("*.*"))
    texts = [file for file in files if file.is_file() and file.suffix in {".py", ".md", ".toml", ".ini", ""}]
    assert not [file for file in texts if path.search(file.read_text(errors="ignore"))]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_under_test(family):
    from tests.tiny import TINY

    assert family in {type(tiny).__module__.split(".")[2] for tiny in TINY.values()}, "not in tests/tiny.py"
    assert (ROOT / f"tests/families/test_{family}.py").exists()


def test_the_contract_is_small():
    (task,) = (node for node in public("kerazoo.task") if node.name == "Task")
    functions = [node for node in task.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"]
    attributes = [node for node in functions if "property" in map(ast.unparse, node.decorator_list)]
    assert len(functions) - len(attributes) <= 29
