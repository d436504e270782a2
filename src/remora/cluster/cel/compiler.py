"""Trees to functions of variables: operators, macros and calls. Pure.

A name that is neither a variable nor bound by a macro, and a function that is not known, are found when an expression is read.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any

from remora.cluster.cel.functions import FUNCTIONS, METHODS, NAMESPACES
from remora.cluster.cel.operators import COMPARISONS, arithmetic, boolean, member, optional_member
from remora.cluster.cel.syntax import Tree, parse
from remora.cluster.cel.values import NONE, CelError, Optional, some, type_name

Variables = Mapping[str, Any]
Program = Callable[[Variables], Any]

_TYPES = frozenset({"int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"})
_ESCAPED = re.compile(r"__([a-z]+)__")
_ESCAPES = {"underscores": "__", "dot": ".", "dash": "-", "slash": "/"}


@lru_cache(1024)
def compile_expression(text: str, variables: tuple[str, ...]) -> Program:
    """The function that an expression is.

    Raises:
        CelError: it is no expression, or one that needs what is not known here.
    """
    try:
        return _compiled(parse(text), frozenset(variables))
    except RecursionError:
        raise CelError("expression recursion limit exceeded") from None
    except ValueError as error:  # a number of thousands of digits, a letter beyond Unicode
        raise CelError(f"Syntax error: {error}") from None


def unescaped(name: str) -> str:
    """The property that an identifier stands for: `__dash__` is `-`, and `__namespace__` a word that CEL reserves."""
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), name)


def _compiled(tree: Tree, names: frozenset[str]) -> Program:
    return _COMPILERS[tree[0]](tree, names)


def _literal(tree: Tree, names: frozenset[str]) -> Program:
    value = tree[1]
    return lambda variables: value


def _ident(tree: Tree, names: frozenset[str]) -> Program:
    name = tree[1]
    if name in names:
        return lambda variables: variables[name]
    if name in _TYPES:
        return lambda variables: name
    raise CelError(f"undeclared reference to '{name}' (in container '')")


def _dotted(tree: Tree) -> str:
    if tree[0] == "ident":
        return str(tree[1])
    return f"{_dotted(tree[1])}.{tree[2]}" if tree[0] == "select" else ""


def _select(tree: Tree, names: frozenset[str]) -> Program:
    _, target, name, is_optional = tree
    if _dotted(tree) in ("google.protobuf.Duration", "google.protobuf.Timestamp"):
        full = _dotted(tree)
        return lambda variables: full
    inner, key = _compiled(target, names), unescaped(name)

    def select(variables: Variables) -> Any:
        value = inner(variables)
        if isinstance(value, Optional):
            return optional_member(value, key)
        if is_optional:
            return optional_member(some(value), key)
        return member(value, key)

    return select


def _index(tree: Tree, names: frozenset[str]) -> Program:
    _, target, index, is_optional = tree
    inner, at = _compiled(target, names), _compiled(index, names)

    def look_up(variables: Variables) -> Any:
        value, key = inner(variables), at(variables)
        if is_optional or isinstance(value, Optional):
            return optional_member(value if isinstance(value, Optional) else some(value), key)
        if isinstance(value, list):
            if not isinstance(key, int) or isinstance(key, bool):
                raise CelError("no such overload")
            if not 0 <= key < len(value):
                raise CelError(f"index out of bounds: {key}")
            return value[key]
        return member(value, key)

    return look_up


def _list(tree: Tree, names: frozenset[str]) -> Program:
    items = [_compiled(item, names) for item in tree[1]]
    return lambda variables: [item(variables) for item in items]


def _map(tree: Tree, names: frozenset[str]) -> Program:
    pairs = [(_compiled(key, names), _compiled(value, names)) for key, value in tree[1]]
    return lambda variables: {key(variables): value(variables) for key, value in pairs}


def _unary(tree: Tree, names: frozenset[str]) -> Program:
    operand = _compiled(tree[2], names)
    if tree[1] == "!":
        return lambda variables: not boolean(operand(variables))
    return lambda variables: arithmetic("-", 0, operand(variables))


def _conditional(tree: Tree, names: frozenset[str]) -> Program:
    condition, then, otherwise = (_compiled(part, names) for part in tree[1:])
    return lambda variables: then(variables) if boolean(condition(variables)) else otherwise(variables)


def _binary(tree: Tree, names: frozenset[str]) -> Program:
    _, operator, first, second = tree
    left, right = _compiled(first, names), _compiled(second, names)
    if operator in ("&&", "||"):
        return _logical(left, right, decides=operator == "||")
    if operator in COMPARISONS:
        decide = COMPARISONS[operator]
        return lambda variables: decide(left(variables), right(variables))
    return lambda variables: arithmetic(operator, left(variables), right(variables))


def _logical(left: Program, right: Program, *, decides: bool) -> Program:
    """`decides` is the value of one side that makes the other's mean nothing, even if that is an error."""

    def logical(variables: Variables) -> bool:
        try:
            if boolean(left(variables)) is decides:
                return decides
        except CelError:
            if boolean(right(variables)) is decides:
                return decides
            raise
        return boolean(right(variables))

    return logical


def _call(tree: Tree, names: frozenset[str]) -> Program:
    _, name, arguments = tree
    if name == "has":
        return _has(arguments, names)
    function = FUNCTIONS.get(name)
    if function is None:
        raise CelError(f"undeclared reference to '{name}' (in container '')")
    return _calling(function, [_compiled(argument, names) for argument in arguments])


def _calling(function: Callable[..., Any], arguments: list[Program]) -> Program:
    def call(variables: Variables) -> Any:
        try:
            return function(*(argument(variables) for argument in arguments))
        except (TypeError, AttributeError, ValueError, OverflowError, IndexError, ArithmeticError):
            raise CelError("no such overload") from None

    return call


def _has(arguments: list[Tree], names: frozenset[str]) -> Program:
    if len(arguments) != 1 or arguments[0][0] != "select":
        raise CelError("invalid argument to has() macro")
    _, target, name, _ = arguments[0]
    inner, key = _compiled(target, names), unescaped(name)

    def has(variables: Variables) -> bool:
        value = inner(variables)
        if isinstance(value, Optional):
            return optional_member(value, key).has_value
        if not isinstance(value, dict):
            raise CelError("no such overload")
        return key in value

    return has


def _method(tree: Tree, names: frozenset[str]) -> Program:
    _, target, name, arguments = tree
    space = NAMESPACES.get(_dotted(target))
    if space is not None and _dotted(target) not in names and name in space:
        return _calling(space[name], [_compiled(argument, names) for argument in arguments])
    if name == "bind" and _dotted(target) == "cel" and len(arguments) == 3:
        return _bound(arguments, names)
    macro = _MACROS.get(name)
    if macro is not None and len(arguments) in (2, 3, 4) and arguments[0][0] == "ident":
        return _comprehension(name, target, arguments, names)
    method = METHODS.get(name)
    if method is None:
        raise CelError(f"undeclared reference to '{name}' (in container '')")
    return _calling(method, [_compiled(argument, names) for argument in (target, *arguments)])


def _bound(arguments: list[Tree], names: frozenset[str]) -> Program:
    name = str(arguments[0][1])
    value, body = _compiled(arguments[1], names), _compiled(arguments[2], names | {name})
    return lambda variables: body({**variables, name: value(variables)})


def _entries(value: Any, count: int) -> Iterable[tuple[Any, ...]]:
    """What a macro's variables are bound to: elements or keys; with two variables the index or key before the value."""
    if isinstance(value, list):
        return enumerate(value) if count == 2 else ((item,) for item in value)
    if isinstance(value, dict):
        return value.items() if count == 2 else ((key,) for key in value)
    raise CelError("no such overload")


def _comprehension(name: str, target: Tree, arguments: list[Tree], names: frozenset[str]) -> Program:
    if name in ("optMap", "optFlatMap"):
        return _optional_map(name, target, arguments, names)
    least, reduce = _MACROS[name]
    bound = 2 if name.startswith("transform") or (len(arguments) == 3 and least == 1 and name != "map") else 1
    if any(argument[0] != "ident" for argument in arguments[:bound]) or len(arguments) <= bound:
        raise CelError(f"invalid arguments to {name}() macro")
    keys = [str(argument[1]) for argument in arguments[:bound]]
    inner = _compiled(target, names)
    bodies = [_compiled(argument, names | set(keys)) for argument in arguments[bound:]]

    def comprehend(variables: Variables) -> Any:
        value = inner(variables)
        entries = _entries(value, bound)
        scopes = ((entry, {**variables, **dict(zip(keys, entry, strict=True))}) for entry in entries)
        return reduce(scopes, bodies)

    return comprehend


def _optional_map(name: str, target: Tree, arguments: list[Tree], names: frozenset[str]) -> Program:
    key = str(arguments[0][1])
    inner, body = _compiled(target, names), _compiled(arguments[1], names | {key})

    def mapped(variables: Variables) -> Any:
        value = inner(variables)
        if not isinstance(value, Optional):
            raise CelError("no such overload")
        if not value.has_value:
            return NONE
        result = body({**variables, key: value.value})
        return some(result) if name == "optMap" else result

    return mapped


Scopes = Iterable[tuple[tuple[Any, ...], Variables]]


def _quantified(scopes: Scopes, bodies: list[Program], decides: bool) -> bool:
    """As a chain of `||` or `&&`: one element that decides outweighs errors of others."""
    failure: CelError | None = None
    for _, scope in scopes:
        try:
            if boolean(bodies[0](scope)) is decides:
                return decides
        except CelError as error:
            failure = error
    if failure is not None:
        raise failure
    return not decides


def _chosen(scopes: Scopes, bodies: list[Program]) -> list[tuple[tuple[Any, ...], Variables]]:
    return [found for found in scopes if len(bodies) == 1 or boolean(bodies[0](found[1]))]


_MACROS: dict[str, tuple[int, Callable[[Scopes, list[Program]], Any]]] = {
    "all": (1, lambda scopes, bodies: _quantified(scopes, bodies, False)),
    "exists": (1, lambda scopes, bodies: _quantified(scopes, bodies, True)),
    "exists_one": (1, lambda scopes, bodies: sum(boolean(bodies[0](scope)) for _, scope in scopes) == 1),
    "existsOne": (1, lambda scopes, bodies: sum(boolean(bodies[0](scope)) for _, scope in scopes) == 1),
    "filter": (1, lambda scopes, bodies: [entry[0] for entry, scope in scopes if boolean(bodies[0](scope))]),
    "map": (1, lambda scopes, bodies: [bodies[-1](scope) for _, scope in _chosen(scopes, bodies)]),
    "transformList": (2, lambda scopes, bodies: [bodies[-1](scope) for _, scope in _chosen(scopes, bodies)]),
    "transformMap": (2, lambda scopes, bodies: {entry[0]: bodies[-1](scope) for entry, scope in _chosen(scopes, bodies)}),
    "transformMapEntry": (
        2,
        lambda scopes, bodies: dict(chain.from_iterable(bodies[-1](s).items() for _, s in _chosen(scopes, bodies))),
    ),
    "optMap": (1, lambda scopes, bodies: None),
    "optFlatMap": (1, lambda scopes, bodies: None),
}

_COMPILERS: dict[str, Callable[[Tree, frozenset[str]], Program]] = {
    "literal": _literal,
    "ident": _ident,
    "select": _select,
    "index": _index,
    "list": _list,
    "map": _map,
    "unary": _unary,
    "binary": _binary,
    "conditional": _conditional,
    "call": _call,
    "method": _method,
}

__all__ = ["Program", "compile_expression", "type_name", "unescaped"]
