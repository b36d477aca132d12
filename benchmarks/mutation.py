"""Small changes to a module's source, each of which ought to make some test fail. Pure: text in, text out.

A mutant swaps an operator, shifts a number, turns a condition, leaves out a statement or a guard, and so
on. What only a reader or a type checker sees is left alone: docstrings, annotations, `TYPE_CHECKING`, the
words of messages.
"""

from __future__ import annotations

import ast
import copy
import difflib
import functools
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMPARE = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
_BINARY = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.Mod: ast.FloorDiv,
}  # fmt: skip
_CALLS = {"any": "all", "all": "any", "min": "max", "max": "min", "first": "last", "startswith": "endswith"}


class Mutant(NamedTuple):
    """A changed module: the place of the change (line from 1), what kind it is, the line before and after, and the function.

    `begin` and `end` are the offsets in the source of what `text` takes the place of.
    """

    module: str
    line: int
    kind: str
    begin: int
    end: int
    text: str
    before: str
    after: str
    within: str

    @property
    def name(self) -> str:
        """What tells it from the others of a module as it is now."""
        return f"{self.module}:{self.line}:{self.begin}:{self.kind}:{self.text}"

    def applied(self, source: str) -> str:
        """Return the changed source."""
        return source[: self.begin] + self.text + source[self.end :]

    def diff(self, source: str) -> str:
        """Return the change as a unified diff without context."""
        lines = difflib.unified_diff(source.splitlines(), self.applied(source).splitlines(), n=0, lineterm="")
        return "\n".join(list(lines)[2:])


@functools.cache
def mutants(module: str, source: str) -> tuple[Mutant, ...]:
    """Return every mutant of a module, in the order of its lines; only such as still compile and differ."""
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    raw = source.encode()
    made: dict[str, Mutant] = {}
    tree = ast.parse(source)
    for node, kind, text in _changes(tree):
        begin = len(raw[: starts[node.lineno - 1] + node.col_offset].decode())
        end = len(raw[: starts[node.end_lineno - 1] + node.end_col_offset].decode())
        mutant = Mutant(module, node.lineno, kind, begin, end, text, "", "", _function(tree, node.lineno))
        changed = mutant.applied(source)
        if changed != source and _compiles(changed):
            mutant = mutant._replace(before=_line(source, begin), after=_line(changed, begin))
            made.setdefault(mutant.name, mutant)
    return tuple(sorted(made.values(), key=lambda mutant: (mutant.line, mutant.begin, mutant.name)))


def _function(tree: ast.AST, line: int) -> str:
    """Return the name of the innermost function around a line, '' for none."""
    defs = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    around = [(node.lineno, node.name) for node in defs if node.lineno <= line <= (node.end_lineno or 0)]
    return max(around)[1] if around else ""


def _line(source: str, offset: int) -> str:
    number = source.count("\n", 0, offset)
    return source.splitlines()[number].strip()


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _changes(tree: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str, str]]:
    """Give each node that is changed, the kind of the change, and the text that takes its place."""
    for node in _seen(tree):
        if isinstance(node, ast.expr):
            for kind, changed in _expressions(node):
                yield node, kind, f"({ast.unparse(changed)})"
        elif isinstance(node, ast.stmt):
            yield from _statements(node)


def _seen(node: ast.AST) -> Iterator[ast.AST]:
    """Give the nodes that run: without annotations, docstrings, type checking, and what an f-string or error says."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params") or (name == "exc" and value is not None):
            continue
        for child in value if isinstance(value, list) else [value]:
            # Nodes within an f-string have no place of their own in the source before Python 3.12.
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr) and not _for_readers(child):
                yield from _seen(child)


def _for_readers(node: ast.AST) -> bool:
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return True
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "TYPE_CHECKING":
        return True
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _expressions(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in _COMPARE.get(type(operator), ()):
                changed = copy.deepcopy(node)
                changed.ops[place] = other()
                yield "compare", changed
    elif isinstance(node, ast.BoolOp):
        changed = copy.deepcopy(node)
        changed.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "and/or", changed
        for place in range(len(node.values)):
            rest = [value for number, value in enumerate(node.values) if number != place]
            yield "operand", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield "unary", node.operand
    elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        yield "operator", ast.BinOp(node.left, _BINARY[type(node.op)](), node.right)
    elif isinstance(node, ast.Constant):
        yield from (("constant", ast.Constant(value)) for value in _constants(node.value))
    elif isinstance(node, ast.IfExp):
        yield "condition", ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.Call) and (other_name := _CALLS.get(_called(node))):
        changed_call = copy.deepcopy(node)
        if isinstance(changed_call.func, ast.Name):
            changed_call.func.id = other_name
        elif isinstance(changed_call.func, ast.Attribute):
            changed_call.func.attr = other_name
        yield "call", changed_call


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _constants(value: object) -> tuple[object, ...]:
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return (value + 1, value - 1) if value else (1,)
    return (value * 2,) if isinstance(value, float) and value else ()


def _statements(node: ast.stmt) -> Iterator[tuple[ast.expr | ast.stmt, str, str]]:
    if isinstance(node, (ast.Expr, ast.AugAssign, ast.Raise, ast.Delete)) or _sets_in_another(node):
        yield node, "left out", "pass"
    elif isinstance(node, (ast.Continue, ast.Break)):
        yield node, "loop", "break" if isinstance(node, ast.Continue) else "continue"
    elif isinstance(node, ast.Return) and node.value is not None and not _is_falsy(node.value):
        yield node, "result", "return None"
    elif isinstance(node, (ast.If, ast.While)) and not isinstance(node.test, (ast.Compare, ast.UnaryOp, ast.Constant)):
        yield node.test, "condition", f"(not ({ast.unparse(node.test)}))"
    elif isinstance(node, ast.With) and "suppress" in ast.unparse(node.items[0]):
        lines = ast.unparse(ast.If(ast.Constant(True), node.body, [])).splitlines()
        yield node, "guard", f"\n{' ' * node.col_offset}".join(lines)


def _sets_in_another(node: ast.stmt) -> bool:
    """Whether it sets something of an object: leaving out the setting of a name would only be a NameError."""
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], (ast.Attribute, ast.Subscript))


def _is_falsy(node: ast.expr) -> bool:
    """Whether None in its place would be as false as it is."""
    return isinstance(node, (ast.Constant, ast.Tuple, ast.List)) and not (
        node.value if isinstance(node, ast.Constant) else node.elts
    )
