"""Which pod serves a request is decided by what the request is: consistent hashing over parts of it, which are data.

Where a key has a subset of the pods rather than one of them, Lua chooses among them and names the server.
"""

from collections.abc import Iterator

from remora.haproxy.features import by_name
from remora.haproxy.grammar import Directive, rule
from remora.haproxy.pool import Algorithm
from remora.model import HashBy, RequestFact

NAMES = 2
"""How many headers, cookies and arguments each a key can be made of."""

_FACTS = {
    RequestFact.TARGET: ("t", "pathq"),
    RequestFact.PATH: ("p", "path"),
    RequestFact.QUERY: ("q", "query"),
    RequestFact.HOST: ("h", "req.hdr(host),host_only,lower"),
    RequestFact.CLIENT: ("c", "src"),
    RequestFact.SCHEME: ("s", "ssl_fc"),
    RequestFact.METHOD: ("m", "method"),
}
"""A letter of the map `hashes`, and the sample that it stands for."""

_SUBSET = "~"
"""Stands among the letters if the key has a subset of the pods."""


def request_rules(hashes_map: str) -> Iterator[Directive]:
    """Puts together `txn.key`, which is never empty: requests without a part all go to one pod, as in ingress-nginx."""
    yield rule("http-request set-var(txn.hash)", f"var(txn.route),map_str({hashes_map})")
    yield rule("http-request set-var(txn.facts)", "var(txn.hash),field(1,|)")
    yield rule("http-request set-var(txn.key) str(=)")
    for letter, sample in _FACTS.values():
        yield _add(sample, when=f"{{ var(txn.facts) -m sub {letter} }}")
    # Past this all parts have names; most keys have none.
    has_names = "{ var(txn.facts) -m end + }"
    yield from by_name.preparing_rules(has_names)
    yield from by_name.cookie_rules(has_names)
    yield rule("http-request set-var(txn.query)", "query", when=has_names)
    first = 2
    for find in (by_name.header, by_name.cookie, by_name.argument):
        for number in range(first, first + NAMES):
            name = f"var(txn.hash),field({number},|)"
            yield rule("http-request set-var(txn.part)", find(name), when=f"{has_names} {{ {name} -m len gt 0 }}")
            yield _add("var(txn.part)", when=f"{has_names} {{ {name} -m len gt 0 }} {{ var(txn.part) {by_name.FOUND} }}")
        first += NAMES
    has_subset = f"{{ var(txn.facts) -m sub {_SUBSET} }}"
    yield rule("http-request set-var(txn.subset)", f"var(txn.hash),field({first},|)", when=has_subset)
    yield rule("http-request lua.choose_of_subset", when=has_subset)


def choosing_rules(algorithm: Algorithm) -> Iterator[Directive]:
    """Follows what was chosen from a subset; a server that went meanwhile leaves it to the ring."""
    if algorithm is Algorithm.HASHED:
        yield rule("use-server", "%[var(txn.member)]", when="{ var(txn.member) -m found }")


def _add(sample: str, *, when: str) -> Directive:
    return rule("http-request set-var-fmt(txn.key)", f"%[var(txn.key)] %[{sample}]", when=when)


def hash_entry(hash_by: HashBy) -> str:
    """The value of the map `hashes`: letters, then two headers, two cookies, two arguments and the size of a subset, by `|`.

    Raises:
        ValueError: there are more of a kind, or a name holds a `|`.
    """
    named = (hash_by.headers, hash_by.cookies, hash_by.arguments)
    if any(len(names) > NAMES or any("|" in name for name in names) for names in named):
        raise ValueError(f"{hash_by!r} has too many names of a kind, or one with a | in it")
    has_subset = hash_by.subset > 1
    letters = "".join(_FACTS[fact][0] for fact in hash_by.facts) + _SUBSET * has_subset + "+" * any(named)
    size = (str(hash_by.subset),) if has_subset else ()
    return "|".join((letters, *(name for names in named for name in (*names, "", "")[:NAMES]), *size))
