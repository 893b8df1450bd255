"""The limits of the house, over all of the package: how long, how many, and of which types."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "geolib"
SOURCES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}
LINES, BODY, ARGUMENTS, AT_THE_TOP = 400, 60, 8, 6

# What is beyond a limit, as measured: it may shrink, and must then be taken out here, but not grow.
LONG_BODIES: dict[str, int] = {}
MANY_ARGUMENTS = {"runs/config.py: param": 9}  # each a field of a declaration, given by name


def functions(tree, within=""):
    """Yield the dotted name and the node of every function, those inside of others too."""
    for node in ast.iter_child_nodes(tree):
        inner = within
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{within}{node.name}."
            if not isinstance(node, ast.ClassDef):
                yield inner[:-1], node
        yield from functions(node, inner)


def body(node):
    """Lines of a function without its docstring, which the limit is not meant to shorten."""
    first = node.body[0]
    told = 0
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        told = first.end_lineno - first.lineno + 1
    return node.end_lineno - node.lineno + 1 - told


def arguments(node):
    every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    return len([argument for argument in every if argument.arg not in ("self", "cls")])


def beyond(measure, limit, sources=SOURCES):
    found = {
        f"{name}: {function}": measure(node) for name, tree in sources.items() for function, node in functions(tree)
    }
    return {name: value for name, value in found.items() if value > limit}


def test_no_function_is_longer_than_a_page():
    assert beyond(body, BODY) == LONG_BODIES


def test_no_function_takes_more_arguments_than_one_can_remember():
    assert beyond(arguments, ARGUMENTS) == MANY_ARGUMENTS


def test_no_module_is_too_long():
    long = {name: len((PACKAGE / name).read_text("utf-8").splitlines()) for name in SOURCES}
    assert {name: lines for name, lines in long.items() if lines > LINES} == {}


def test_few_modules_stand_at_the_top_beside_the_packages():
    top = [name for name in SOURCES if "/" not in name and name != "__init__.py"]
    assert len(top) <= AT_THE_TOP, top


def names_in(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def saying(words, sources=SOURCES):
    """Modules that use one of some names, each with those."""
    found = {name: words & set(names_in(tree)) for name, tree in sources.items()}
    return {name: used for name, used in found.items() if used}


def test_a_study_says_what_it_takes_and_returns():
    assert [name for name in saying({"Any"}) if name.startswith("studies/")] == []


def test_nothing_looks_for_what_a_study_may_have():
    # What a study may leave out is a method with a default.
    assert saying({"hasattr", "signature"}) == {}


def test_the_limits_are_seen():
    many = ", ".join(f"a{n}" for n in range(9))
    tree = ast.parse(f"class C:\n  def f(self, {many}):\n    '''One.\n\n    Two.\n    '''\n" + "    x = 1\n" * 60)
    assert beyond(body, BODY, {"m.py": tree}) == {"m.py: C.f": 61}
    assert beyond(arguments, ARGUMENTS, {"m.py": tree}) == {"m.py: C.f": 9}
    looking = {"m.py": ast.parse("def f(x: typing.Any): return hasattr(x, 'y')"), "n.py": ast.parse("x = 1")}
    assert saying({"Any", "hasattr", "signature"}, looking) == {"m.py": {"Any", "hasattr"}}
