"""Which pod serves a request is decided by what the request is: consistent hashing over parts of it, which are data."""

from collections.abc import Iterator

from remora.haproxy.features import by_name
from remora.haproxy.grammar import Directive, rule
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
    yield rule("http-request set-var(txn.cookies)", "req.fhdr(cookie)", when=has_names)
    yield rule("http-request set-var(txn.query)", "query", when=has_names)
    first = 2
    for find in (by_name.header, by_name.cookie, by_name.argument):
        for number in range(first, first + NAMES):
            name = f"var(txn.hash),field({number},|)"
            yield rule("http-request set-var(txn.part)", find(name), when=f"{has_names} {{ {name} -m len gt 0 }}")
            yield _add("var(txn.part)", when=f"{has_names} {{ {name} -m len gt 0 }} {{ var(txn.part) {by_name.FOUND} }}")
        first += NAMES


def _add(sample: str, *, when: str) -> Directive:
    return rule("http-request set-var-fmt(txn.key)", f"%[var(txn.key)] %[{sample}]", when=when)


def hash_entry(hash_by: HashBy) -> str:
    """The value of the map `hashes`: letters, then two headers, two cookies and two arguments, by `|`.

    Raises:
        ValueError: there are more of a kind, or a name holds a `|`.
    """
    named = (hash_by.headers, hash_by.cookies, hash_by.arguments)
    if any(len(names) > NAMES or any("|" in name for name in names) for names in named):
        raise ValueError(f"{hash_by!r} has too many names of a kind, or one with a | in it")
    letters = "".join(_FACTS[fact][0] for fact in hash_by.facts) + "+" * any(named)
    return "|".join((letters, *(name for names in named for name in (*names, "", "")[:NAMES])))
