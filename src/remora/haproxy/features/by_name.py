"""Finding a header, a cookie or an argument whose name is data.

HAProxy's own fetches take a name that is fixed when it starts. So the name is put in front of the text that holds them all,
and found again behind it by a back-reference. What is found begins with `=`; without a find it begins with the name.
"""

from collections.abc import Iterator

from remora.haproxy.grammar import Directive, rule

FOUND = "-m beg ="
"""Matches what was found."""


def cookie_rules(when: str = "") -> Iterator[Directive]:
    """`txn.cookies`: all cookies of a request. HTTP/1 has one header for them, but some proxies in front send several."""
    yield rule("http-request set-var(txn.cookies)", "req.fhdr(cookie)", when=when)
    yield from joining_rules(when)


def joining_rules(when: str = "") -> Iterator[Directive]:
    """The same, where `txn.cookies` is the last header."""
    every = r'req.hdrs,regsub("cookie: ([^\r\n]*)\r\n|[^\n]*\n","\1; ",g)'
    yield rule("http-request set-var(txn.cookies)", every, when=f"{when} {{ req.fhdr_cnt(cookie) gt 1 }}".lstrip())


def preparing_rules(when: str) -> Iterator[Directive]:
    """`txn.headers` and `txn.line_end`, which `header` needs."""
    yield rule("http-request set-var(txn.line_end)", "str(Cg==),b64dec", when=when)
    yield rule("http-request set-var(txn.headers)", "req.hdrs", when=when)


def header(name: str) -> str:
    """`=` and the value of the last header of the name; `name` is a sample that gives it in lower case."""
    return name + (
        r',concat(,txn.line_end),concat(,txn.headers),regsub("^([^\n]+)\n(?s:.*\n)?\1: ([^\r\n]*)\r\n(?s:.*)$","=\2")'
    )


def cookie(name: str) -> str:
    """`=` and the value of the first cookie of the name, in any case, as in nginx's `$cookie_name`; from `txn.cookies`."""
    return name + r',concat(;,txn.cookies),regsub("^([^;]+);(?:.*?[; \t])?\1=([^; \t]*).*$","=\2",i)'


def argument(name: str) -> str:
    """`=` and the value of the first argument of the name, in any case, as in nginx's `$arg_name`; from `txn.query`."""
    return name + r',concat(;,txn.query),regsub("^([^;]+);(?:.*?&)?\1=([^&]*).*$","=\2",i)'
