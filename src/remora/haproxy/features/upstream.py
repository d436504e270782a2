"""How servers are spoken to: what stands on their line, at run time as in files (configuration manual, section 5.2).

Everything about a backend's way of speaking is in its name, so that servers of another way stand in another slot, and nothing
has to be asked of a HAProxy that is found running.
"""

from collections.abc import Iterable, Iterator

from remora.haproxy.grammar import Directive, Section, directive, rule, section
from remora.haproxy.layout import Layout
from remora.model import FastCgi, FileKind, Protocol, Upstream, UpstreamFile, UpstreamTls

FILES_BACKEND = "upstream-files"
"""No request reaches it: HAProxy loads only the files that some server names."""

PLACEHOLDER = "placeholder"
"""A server that never serves, where HAProxy does not start without one."""

_NOWHERE = "127.0.0.1:1"
_DOCUMENT_ROOT = "/etc/nginx/html"

_FETCHES = {
    "args": "query",
    "document_root": f"str({_DOCUMENT_ROOT})",
    "document_uri": "path,url_dec",
    "fastcgi_path_info": "str()",
    "fastcgi_script_name": "path,url_dec",
    "host": "req.hdr(host),host_only,lower",
    "query_string": "query",
    "remote_addr": "src",
    "remote_port": "src_port",
    "request_method": "method",
    "request_uri": "var(txn.fastcgi_uri)",
    "scheme": "req.hdr(x-forwarded-proto)",
    "server_addr": "dst",
    "server_port": "dst_port",
    "server_protocol": "req.ver",
    "uri": "path,url_dec",
}
"""What nginx's variables are here, but for those of headers."""

_HEADER = "http_"


def server_words(upstream: Upstream, layout: Layout) -> tuple[str, ...]:
    """What stands on the line of every server of the backend, behind its address."""
    words = _tls_words(upstream.tls, upstream.protocol, layout) if upstream.tls else ()
    match upstream.protocol:
        case Protocol.HTTP2:
            words += ("proto", "h2")
        case Protocol.FASTCGI:
            words += ("proto", "fcgi")
        case Protocol.HTTP:
            """The usual."""
    return words + ("send-proxy",) * upstream.sends_proxy


def _tls_words(tls: UpstreamTls, protocol: Protocol, layout: Layout) -> tuple[str, ...]:
    words = ["ssl", "verify", "required" if tls.verifies else "none"]
    if tls.authority:
        words += ["ca-file", layout.upstream_file(tls.authority)]
    if tls.certificate:
        words += ["crt", layout.upstream_file(tls.certificate)]
    if tls.verifies and tls.name:
        words += ["verifyhost", tls.name]
    if tls.sends_name and tls.name:
        words += ["sni", f"str({tls.name})"]
    versions = sorted(tls.protocols) or ["TLSv1.2"]
    words += ["ssl-min-ver", versions[0]]
    if tls.protocols:
        words += ["ssl-max-ver", versions[-1]]
    if tls.ciphers:
        words += ["ciphers", tls.ciphers]
    return (*words, *(("alpn", "h2") if protocol is Protocol.HTTP2 else ()))


def is_unsure(upstream: Upstream) -> bool:
    """Whether HAProxy may refuse what it is told, so that it is asked before."""
    return upstream.fastcgi is not None or (upstream.tls is not None and upstream.tls != UpstreamTls())


def application(upstream: Upstream, slot: str) -> Section | None:
    """The section that a backend of FastCGI needs beside itself, which has its name."""
    if upstream.fastcgi is None:
        return None
    return section("fcgi-app", slot, lines=_application_lines(upstream.fastcgi))


def _application_lines(said: FastCgi) -> Iterator[Directive]:
    yield rule("docroot", _DOCUMENT_ROOT)
    yield rule("pass-header authorization")  # HAProxy leaves it out otherwise; nginx sends it
    if said.index:
        yield directive("index", said.index)
    for name, value in _parameters(said).items():
        # Text has no sign that means anything in a log format (`annotations.backend_tls`).
        texts = (f"%[var({_variable(piece)})]" if number % 2 else piece for number, piece in enumerate(value))
        yield directive("set-param", name, "".join(texts))


def _parameters(said: FastCgi) -> dict[str, tuple[str, ...]]:
    """Those that are said, and those that HAProxy would make of the path as the client wrote it."""
    usual = {
        "REQUEST_URI": ("", "request_uri", ""),
        "SCRIPT_FILENAME": ("", "document_root", "", "fastcgi_script_name", ""),
        "SCRIPT_NAME": ("", "fastcgi_script_name", ""),
    }
    return usual | dict(said.parameters)


def _variable(name: str) -> str:
    return f"txn.fastcgi.{name}"


def _variable_rules(said: FastCgi) -> Iterator[Directive]:
    """What parameters refer to. HAProxy 2.8 crashes on some converters in `set-param` itself, `regsub` for one."""
    for name in sorted({name for value in _parameters(said).values() for name in value[1::2]}):
        fetch = f"req.hdr({name.removeprefix(_HEADER).replace('_', '-')})" if name.startswith(_HEADER) else _FETCHES[name]
        yield rule(f"http-request set-var({_variable(name)})", fetch)
    if said.index:
        name = f"path,url_dec,concat({said.index})"
        yield rule(f"http-request set-var({_variable('fastcgi_script_name')})", name, when="{ path -m end / }")


_ODD = "{ path -m sub % // /. }"


def _safe_path_rules() -> Iterator[Directive]:
    """A file is named by the path, so what would lead out of a folder is resolved before, as in nginx."""
    yield rule("http-request set-var(txn.fastcgi_uri)", "pathq")
    yield rule("http-request set-var(txn.fastcgi_path)", "path,url_dec", when=_ODD)
    yield rule("http-request deny deny_status 400", when=_ODD + " !{ var(txn.fastcgi_path) -m found }")
    yield rule("http-request deny deny_status 400", when=_ODD + r" { var(txn.fastcgi_path) -m reg [\x00-\x1f\x7f] }")
    encoded = 'var(txn.fastcgi_path),regsub("%","%25",g),regsub("[?]","%3F",g),regsub(" ","%20",g)'
    odd = "{ var(txn.fastcgi_path) -m found }"
    yield rule("http-request set-path", f"%[{encoded}]", when=odd)
    for step in ("path-merge-slashes", "path-strip-dot", "path-strip-dotdot full"):
        yield rule(f"http-request normalize-uri {step}", when=odd)


def backend_lines(upstream: Upstream, slot: str) -> Iterator[Directive]:
    """What a backend of FastCGI says beside its servers."""
    if upstream.fastcgi is not None:
        yield from _safe_path_rules()
        yield from _variable_rules(upstream.fastcgi)
        yield directive("use-fcgi-app", slot)
        yield directive("server", PLACEHOLDER, _NOWHERE, "proto", "fcgi", "disabled")


def files_section(files: Iterable[UpstreamFile], layout: Layout) -> Section:
    """The backend that has HAProxy load the files, so that a server that comes later finds them."""
    return section("backend", FILES_BACKEND, "from", "base", lines=[_holder(file, layout) for file in files])


def _holder(file: UpstreamFile, layout: Layout) -> Directive:
    path = layout.upstream_file(file.name)
    words = {FileKind.AUTHORITY: ("verify", "required", "ca-file"), FileKind.CERTIFICATE: ("verify", "none", "crt")}
    words[FileKind.REVOCATIONS] = ("verify", "none", "crl-file")
    return directive("server", file.name, _NOWHERE, "disabled", "ssl", *words[file.kind], path)
