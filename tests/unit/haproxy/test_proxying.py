"""What the program and the maps say of how requests are sent to pods."""

import msgspec
import pytest

from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings, proxy_settings
from remora.haproxy.features.mirror import mirror_entry
from remora.haproxy.features.proxying import is_wanted, proxying_entry
from remora.haproxy.features.retries import dedicated_rules, retry_word
from remora.haproxy.grammar import render_directive
from remora.haproxy.hosts import configure_host, targets
from remora.haproxy.maps import Map
from remora.haproxy.program import render_program
from remora.model import AnswerNames, ForwardTo, Mirror, Replacement, Retries, RetryOn
from tests.support.models import NAME, host, route


def base_lines(**options: object) -> set[str]:
    """Of the section that all others begin with."""
    settings = proxy_settings(ProxySettings(state_directory="/state"), msgspec.structs.replace(ProxyOptions(), **options))
    text = render_program(settings)
    return {line.strip() for line in text[text.index("defaults base") :].split("\n\n")[0].splitlines()}


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (
            {},
            {"retries 2", "retry-on conn-failure empty-response response-timeout", "timeout server 60s", "timeout connect 5s"},
        ),
        ({"proxy_read_timeout": 300}, {"timeout server 300s", "timeout tunnel 300s"}),
        ({"proxy_connect_timeout": 30}, {"timeout connect 30s"}),
        ({"proxy_next_upstream": ("off",)}, {"retries 2", "retry-on conn-failure"}),
        ({"proxy_next_upstream": ("http_502", "error")}, {"retry-on conn-failure empty-response 502"}),
        ({"proxy_next_upstream_tries": 5}, {"retries 4"}),
        ({"proxy_next_upstream_timeout": 90}, {"retries 1"}),
    ],
)
def test_the_configmap_s_keys_stand_where_all_routes_have_them(options: dict[str, object], lines: set[str]) -> None:
    assert lines <= base_lines(**options)


def test_a_route_as_usual_is_plain() -> None:
    assert not is_wanted(ForwardTo(NAME))
    assert [target.kind.rich for target in targets(host(route()))] == [False]


@pytest.mark.parametrize(
    ("action", "entry"),
    [
        (ForwardTo(NAME, read_timeout=3600), "3600000||"),
        (ForwardTo(NAME, closes_connection=True), "||close"),
        (ForwardTo(NAME, retries=Retries(())), "|off|"),
        (ForwardTo(NAME, retries=Retries(idempotent_only=True)), "|safe|"),
        (ForwardTo(NAME, retries=Retries(idempotent_only=False)), "|any|"),
        (ForwardTo(NAME, retries=Retries((RetryOn.ERROR,))), ""),
        (ForwardTo(NAME, answer_names=AnswerNames(cookie_path=Replacement("/a", "/"))), "|||||/a|/||"),
        (ForwardTo(NAME, answer_names=AnswerNames(Replacement("a", "b"), None, Replacement("c", "d"))), "|||a|b|||c|d"),
    ],
)
def test_an_entry_has_what_a_route_says(action: ForwardTo, entry: str) -> None:
    assert proxying_entry(action) == entry
    assert is_wanted(action)
    assert all(target.kind.rich for target in targets(host(route(action=action))))


@pytest.mark.parametrize(
    ("retries", "lines"),
    [
        (None, []),
        (Retries(()), []),
        (Retries(idempotent_only=False), []),
        (Retries(tries=1), ["retries 0"]),
        (Retries((RetryOn.ERROR, RetryOn.UNAVAILABLE), 5), ["retry-on conn-failure empty-response 503", "retries 4"]),
    ],
)
def test_only_other_conditions_and_tries_are_text(retries: Retries | None, lines: list[str]) -> None:
    assert [render_directive(line) for line in dedicated_rules(retries)] == lines
    assert (retry_word(retries) == "off") is (retries == Retries(()))


def test_a_mirrored_route_is_guarded_and_its_copy_is_data() -> None:
    mirror = Mirror("http://copy.example$request_uri", "copy.example", with_body=False)
    wanted = host(route(action=ForwardTo(NAME, mirror=mirror)))
    assert [target.kind.guarded for target in targets(wanted)] == [True]
    assert list(configure_host(wanted).texts[Map.MIRRORS].values()) == ["bare|copy.example|http://copy.example$request_uri"]


@pytest.mark.parametrize("text", ["a|b", "a\nb", "a\x00b"])
def test_no_text_ends_a_field(text: str) -> None:
    with pytest.raises(ValueError, match="told apart"):
        proxying_entry(ForwardTo(NAME, answer_names=AnswerNames(cookie_domain=Replacement(text, "b"))))
    with pytest.raises(ValueError, match="cannot stand"):
        mirror_entry(Mirror("http://copy.example/", text))


def test_plain_classes_have_none_of_it_and_only_guarded_ones_mirror() -> None:
    text = render_program(ProxySettings(state_directory="/state"))
    plain = [part for part in text.split("\n\n") if part.startswith("defaults ") and "-plain " in part.splitlines()[0]]
    assert len(plain) == 5
    assert not [part for part in plain for word in ("txn.proxying", "txn.names", "txn.mirror") if word in part]
    assert all("http-request disable-l7-retry if { method POST PATCH LOCK }" in part for part in plain)
    mirroring = [part.split()[1] for part in text.split("\n\n") if "lua.mirror" in part]
    assert mirroring
    assert all("-guarded" in name for name in mirroring)
