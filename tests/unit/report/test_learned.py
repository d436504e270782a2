"""Explanations of sessions that the application names."""

import pytest

from remora.core.settings import RoutingSettings
from remora.model import Learning, NamedIn
from remora.report.explain import Request, explain
from remora.report.learned import session_name
from remora.translate import Translator
from tests.support.kubernetes import endpoint, endpoint_slice, ingress, ingress_class, rule, service
from tests.support.translations import SESSION_KEY, snapshot_of

COOKIE, HEADER, QUERY, PATH = NamedIn.COOKIE, NamedIn.HEADER, NamedIn.QUERY, NamedIn.PATH


@pytest.mark.parametrize(
    ("named_in", "sent", "name"),
    [
        (COOKIE, "sid=1", "1"),
        (COOKIE, "xsid=0; sid=1; sid=2", "1"),
        (COOKIE, "SID=1; asid=2", ""),
        (COOKIE, "sid=", ""),
        (QUERY, "xsid=0&sid=1&sid=2", "1"),
        (QUERY, "xsid=0", ""),
        (PATH, "/a;v=1;sid=1;w=2/b", "1"),
        (PATH, "/sid=1", ""),
        (HEADER, "1", "1"),
    ],
)
def test_the_name_of_a_session_is_found_as_the_proxy_finds_it(named_in: NamedIn, sent: str, name: str) -> None:
    parts = {"path": "/", "query": "", "cookies": ""}
    parts |= {{COOKIE: "cookies", QUERY: "query", PATH: "path"}[named_in]: sent} if named_in is not HEADER else {}
    headers = {"sid": sent} if named_in is HEADER else {}
    learning = Learning(named_in, "sid", "ab")
    found = session_name(learning, path=parts["path"], query=parts["query"], cookies=parts["cookies"], headers=headers)
    assert found == name


def test_an_explanation_names_the_rule_and_what_decides_without_it() -> None:
    objects = [
        ingress_class("nginx"),
        service("shop/web"),
        endpoint_slice("shop/web-1", "web", endpoint("10.0.0.1", "a"), endpoint("10.0.0.2", "b")),
        ingress("shop/web", rule("a.test", "/"), annotations={"remora.io/session-learn": "header:Mcp-Session-Id"}),
    ]
    snapshot = snapshot_of(objects)
    translation = Translator(RoutingSettings(session_key=SESSION_KEY)).translate(snapshot, None)
    said = explain(snapshot, translation, Request("http", "a.test", headers={"mcp-session-id": "s1"}), has_key=True)
    assert said.answer == "one of 2 pods"
    assert said.session.startswith("session s1 of header mcp-session-id: the pod on which the proxy has learned it; if")
    assert said.session.endswith("each request goes to the next pod in turn")
    said = explain(snapshot, translation, Request("http", "a.test"), has_key=True)
    assert said.session.startswith("no session is named in header mcp-session-id; ")
