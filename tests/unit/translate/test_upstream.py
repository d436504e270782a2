"""Secrets and values for connections to pods."""

import pytest

from remora.model import FastCgi, FileKind, Protocol, Upstream, UpstreamTls
from remora.translate.upstream import PodLink, parse_trust, split_value
from tests.support.certificates import Authority, self_signed

AUTHORITY = Authority()
PEM = self_signed("proxy.example")


def test_a_secret_may_hold_an_authority_a_certificate_or_both() -> None:
    both = parse_trust({"ca.crt": AUTHORITY.pem, "tls.crt": PEM, "tls.key": PEM})
    assert both.authority
    assert both.certificate
    assert (both.authority.kind, both.certificate.kind) == (FileKind.AUTHORITY, FileKind.CERTIFICATE)
    assert parse_trust({"ca.crt": AUTHORITY.pem}).authority == both.authority
    assert parse_trust({"tls.crt": PEM, "tls.key": PEM}).certificate == both.certificate


@pytest.mark.parametrize(
    "data",
    [{}, {"ca.crt": b"x"}, {"tls.crt": PEM}, {"tls.key": PEM}, {"ca.crt": AUTHORITY.pem, "tls.crt": PEM, "tls.key": b"x"}],
)
def test_a_secret_that_holds_neither_whole_is_refused(data: dict[str, bytes]) -> None:
    assert parse_trust(data).refusal


def test_text_around_an_authority_does_not_get_on() -> None:
    assert parse_trust({"ca.crt": b"a\n\nb\n" + AUTHORITY.pem}).authority == parse_trust({"ca.crt": AUTHORITY.pem}).authority


def test_no_key_shows_itself() -> None:
    assert "PRIVATE" not in repr(parse_trust({"tls.crt": PEM, "tls.key": PEM}))


def test_a_value_is_text_and_variables_in_turns() -> None:
    assert tuple(split_value("/srv$uri")) == ("/srv", "uri", "")
    assert tuple(split_value("${a}b$c")) == ("", "a", "b", "c", "")
    assert tuple(split_value("plain")) == ("plain",)


@pytest.mark.parametrize(
    ("protocol", "over_tls", "over_http"),
    [
        ("HTTP", Upstream(), Upstream()),
        ("HTTPS", Upstream(tls=UpstreamTls()), Upstream(tls=UpstreamTls())),
        ("AUTO_HTTP", Upstream(tls=UpstreamTls()), Upstream()),
        ("GRPC", Upstream(Protocol.HTTP2), Upstream(Protocol.HTTP2)),
        ("GRPCS", Upstream(Protocol.HTTP2, UpstreamTls()), Upstream(Protocol.HTTP2, UpstreamTls())),
        ("FCGI", *[Upstream(Protocol.FASTCGI, fastcgi=FastCgi())] * 2),
    ],
)
def test_a_protocol_says_how_pods_are_spoken_to(protocol: str, over_tls: Upstream, over_http: Upstream) -> None:
    link = PodLink(protocol)
    assert (link.upstream(over_tls=True), link.upstream(over_tls=False)) == (over_tls, over_http)


def test_ways_of_speaking_have_different_names() -> None:
    ways = [
        Upstream(),
        Upstream(tls=UpstreamTls()),
        Upstream(tls=UpstreamTls(verifies=True)),
        Upstream(tls=UpstreamTls(name="a")),
        Upstream(Protocol.HTTP2),
        Upstream(Protocol.HTTP2, UpstreamTls()),
        Upstream(Protocol.FASTCGI, fastcgi=FastCgi()),
        Upstream(Protocol.FASTCGI, fastcgi=FastCgi("index.php")),
        Upstream(sends_proxy=True),
    ]
    assert len({way.suffix for way in ways}) == len(ways)
    assert Upstream().suffix == ""
