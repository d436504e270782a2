"""Certificates that clients show (behaviour reference, part B, section 1).

Every handshake succeeds; what a certificate is worth is decided for each request, since only its Host says what it wants, and
that may be another host than the one that the connection was made for. Three things are held together:

- `sess.client_authority`: by what certificates are judged on this connection, from the name that the client asked for. A
  request for a host with another authority is misdirected (421).
- The library's verdict.
- For a resumed session, that verdict is an old one, and may come from a host with another authority (the library hands a
  session of one host to any other): so it counts only if this certificate was seen in a whole handshake under this authority.
"""

from collections.abc import Iterator

from remora.core.options import ProxyOptions
from remora.haproxy.features.rare_headers import RARE
from remora.haproxy.grammar import Directive, rule
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map
from remora.model import ClientCheck, ClientTls, Route, VirtualHost

TABLE = "client-certificates"
UNSURE = "-"
"""Stands for the authority of a host while it changes; nothing is judged by it."""

_COUNTER = 5
_ENTRY = "txn.client_tls"
_LETTERS = {
    ClientCheck.DEMANDED: "d",
    ClientCheck.OPTIONAL: "o",
    ClientCheck.ANY_AUTHORITY: "a",
    ClientCheck.NOTHING: "n",
    ClientCheck.REFUSED: "r",
}
_HAS_SUBJECT, _PASSES = "s", "p"
_UNKNOWN_AUTHORITY = "2 18 19 20 21"
"""What the library says of a certificate that is in order but for its authority, as nginx has it: X509_verify_cert(3)."""

_HAS_ENTRY = f"{{ var({_ENTRY}) -m found }}"
_SHOWN = "{ var(txn.client_key) -m found }"
_TRUSTED = "{ var(txn.client_verify) -m str SUCCESS }"
_IS_FLAWLESS = "{ ssl_c_verify 0 } { ssl_c_err 0 } { ssl_c_ca_err 0 }"


def table_rule() -> Directive:
    """Certificates that were found good, by authority. A session can be resumed for five minutes."""
    return rule("stick-table type string len 64 size 100k expire 1h store gpc(1)")


def connection_rules(layout: Layout) -> Iterator[Directive]:
    """Of HTTPS, when a handshake is done. The name is looked up as the library looks for a certificate."""
    find = f"map_str({layout.map(Map.CLIENT_AUTHORITIES)})"
    yield rule("tcp-request session set-var(sess.client_authority)", f"ssl_fc_sni,lower,{find}")
    wider = f'ssl_fc_sni,lower,regsub("^[^.]+","*"),{find}'
    yield rule("tcp-request session set-var(sess.client_authority)", wider, when="!{ var(sess.client_authority) -m found }")


def cleaning_rules(options: ProxyOptions) -> Iterator[Directive]:
    """Of all requests: nobody says of himself who he is. An application may read an underscore as a dash."""
    if options.enable_underscores_in_headers or not options.ignore_invalid_headers:  # and half of them may be
        yield rule("http-request del-header", "^ssl[^a-z0-9]client[^a-z0-9]", "-m", "reg", when=RARE)
    else:
        yield rule("http-request del-header ssl-client- -m beg", when=RARE)


def request_rules(layout: Layout) -> Iterator[Directive]:
    """The first rules of guarded classes."""
    yield rule(f"http-request set-var({_ENTRY})", f"var(txn.route),map_str({layout.map(Map.CLIENT_TLS)})")
    for number, name in enumerate(("check", "marks", "authority", "depth", "page"), start=1):
        yield rule(f"http-request set-var(txn.client_{name})", f"var({_ENTRY}),field({number},|)", when=_HAS_ENTRY)
    yield rule("http-request deny deny_status 403", when=_checks(ClientCheck.REFUSED))
    yield from _connection_rules()
    yield from _verdict_rules()
    yield from _refusal_rules(layout)
    yield from _header_rules()


def _checks(*checks: ClientCheck) -> str:
    return f"{{ var(txn.client_check) -m str {' '.join(_LETTERS[check] for check in checks)} }}"


_ASKS = _checks(ClientCheck.DEMANDED, ClientCheck.OPTIONAL, ClientCheck.ANY_AUTHORITY)


def _connection_rules() -> Iterator[Directive]:
    over_tls = f"{_ASKS} {{ ssl_fc }}"
    yield rule("http-request deny deny_status 400", when=f"{over_tls} !{{ ssl_fc_has_sni }}")
    is_same = "{ var(sess.client_authority),strcmp(txn.client_authority) eq 0 }"
    yield rule("http-request deny deny_status 421", when=f"{over_tls} !{is_same}")
    key = "%[var(txn.client_authority)]%[ssl_c_sha1,hex]"
    yield rule("http-request set-var-fmt(txn.client_key)", key, when=f"{over_tls} {{ ssl_c_used }}")


def _verdict_rules() -> Iterator[Directive]:
    verify = "http-request set-var(txn.client_verify)"
    yield rule(f"{verify} str(NONE)", when=_HAS_ENTRY)
    yield rule("http-request set-var-fmt(txn.client_verify)", "FAILED:%[ssl_c_verify,x509_v_err_str]", when=_SHOWN)
    is_new, is_resumed = "!{ ssl_fc_is_resumed }", "{ ssl_fc_is_resumed }"
    is_known = f"{{ var(txn.client_key),in_table({TABLE}) }}"
    # A resumed session has no chain any more; its certificate was judged with it.
    is_short = "{ ssl_c_chain_der,hex,lua.intermediates,sub(txn.client_depth) le 0 }"
    has_chain = "{ ssl_c_chain_der -m found }"
    yield rule(f"{verify} str(SUCCESS)", when=f"{_SHOWN} {_IS_FLAWLESS} {is_new} !{has_chain}")
    yield rule(f"{verify} str(SUCCESS)", when=f"{_SHOWN} {_IS_FLAWLESS} {is_new} {is_short}")
    yield rule(f"{verify} str(SUCCESS)", when=f"{_SHOWN} {_IS_FLAWLESS} {is_resumed} {is_known}")
    yield rule("http-request deny deny_status 421", when=f"{_SHOWN} {_IS_FLAWLESS} {is_resumed} !{_TRUSTED}")
    yield rule(f"http-request track-sc{_COUNTER} var(txn.client_key)", "table", TABLE, when=_TRUSTED)


def _refusal_rules(layout: Layout) -> Iterator[Directive]:
    bad = "http-request set-var(txn.client_bad) bool(true)"
    yield rule(bad, when=f"{_checks(ClientCheck.DEMANDED)} !{_TRUSTED}")
    yield rule(bad, when=f"{_checks(ClientCheck.OPTIONAL)} {_SHOWN} !{_TRUSTED}")
    is_unknown = f"{{ ssl_c_verify {_UNKNOWN_AUTHORITY} }}"
    yield rule(bad, when=f"{_checks(ClientCheck.ANY_AUTHORITY)} {_SHOWN} !{_TRUSTED} !{is_unknown}")
    is_bad = "{ var(txn.client_bad) -m bool }"
    yield rule(
        "http-request redirect code 302 location",
        "%[var(txn.client_page)]",
        when=f"{is_bad} {{ var(txn.client_page) -m len gt 0 }}",
    )
    yield rule("http-request deny deny_status 400", when=is_bad)
    has_subject = f"{{ var(txn.client_marks) -m sub {_HAS_SUBJECT} }}"
    subject = "%[var(txn.route)]%[var(txn.client_line_end)]%[ssl_c_s_dn(,0,rfc2253)]"
    yield rule("http-request set-var(txn.client_line_end)", "str(Cg==),b64dec", when=has_subject)
    yield rule("http-request set-var-fmt(txn.client_subject)", subject, when=f"{has_subject} {_SHOWN}")
    is_found = f"{{ var(txn.client_subject),map_reg({layout.map(Map.CLIENT_SUBJECTS)}) -m found }}"
    yield rule("http-request deny deny_status 403", when=f"{has_subject} !{is_found}")


def _header_rules() -> Iterator[Directive]:
    yield rule("http-request set-header ssl-client-verify", "%[var(txn.client_verify)]", when=_HAS_ENTRY)
    yield rule("http-request set-header ssl-client-subject-dn", "%[ssl_c_s_dn(,0,rfc2253)]", when=_SHOWN)
    yield rule("http-request set-header ssl-client-issuer-dn", "%[ssl_c_i_dn(,0,rfc2253)]", when=_SHOWN)
    # As nginx escapes PEM: lines of 64, and all that is not unreserved as %XX.
    lines = r'ssl_c_der,base64,regsub("(.{64})","\1!",g),regsub("!$",""),url_enc,regsub("%21","%0A",g)'
    passes = f"{_SHOWN} {{ var(txn.client_marks) -m sub {_PASSES} }}"
    yield rule("http-request set-var(txn.client_pem)", lines, when=passes)
    begin, end = "-----BEGIN%%20CERTIFICATE-----%%0A", "%%0A-----END%%20CERTIFICATE-----%%0A"
    yield rule("http-request set-header ssl-client-cert", f"{begin}%[var(txn.client_pem)]{end}", when=passes)


def is_wanted(route: Route) -> bool:
    """Whether the route needs the rules above."""
    return route.client_tls is not None


def client_entry(wanted: ClientTls) -> str:
    """The value of the map `client-tls`, by `|`: what is asked, marks, the authority, how long a chain may be, and where
    those are sent who do not get in."""
    marks = _HAS_SUBJECT * bool(wanted.subject) + _PASSES * wanted.passes_certificate
    return f"{_LETTERS[wanted.check]}|{marks or '-'}|{wanted.trust}|{wanted.depth}|{wanted.error_page}"


def subject_keys(route: Route) -> Iterator[str]:
    """The key of the map `client-subjects`: a PCRE over route, line end and subject, that searches the subject alone."""
    if route.client_tls and route.client_tls.subject:
        # A key of a map has no blank, and the annotation no blank behind a backslash.
        text = route.client_tls.subject.replace(" ", r"\x20")
        yield rf"\A{route.id}\n(?s:.*?)(?:{text})"


def authority_entries(host: VirtualHost) -> Iterator[tuple[str, str]]:
    """The entry of the map `client-authorities`."""
    trusts = {route.client_tls.trust for route in host.routes if route.client_tls and route.client_tls.trust}
    if host.host and trusts:
        (trust,) = trusts
        yield host.host, trust
