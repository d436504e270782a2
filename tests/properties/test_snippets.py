"""Whatever a snippet says: it is read without an exception, and becomes data that changes no directive."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.haproxy.maps import Map
from remora.model import PrefixPath
from remora.plan.decide import started
from remora.plan.entries import all_entries
from remora.report.snippet_page import SEEN
from remora.snippets.auth import auth_headers
from remora.snippets.parse import SnippetRefused
from remora.snippets.read import Context, read_snippet
from remora.snippets.written import LARGEST, snippet_entry
from tests.support.models import backend, endpoint, host, model, route

pieces = st.one_of(
    st.sampled_from([seen.example for seen in SEEN]),
    st.sampled_from(
        ["if ($http_x ~* \"", "\") { ", "}", ";", "'", '"', "\\", "$", "${", "#", "\n", "\r\n", "\0", "%[src]", "{",
         "location ~ ",
         "return 200 ", "set $a ", "rewrite ^/(.*)$ ", "(?i)", "[[:alpha:]", "a{1,9}", "é", "\ud800", "\u2028", "deny ",
         "(" * 50,
         "x" * 5000, "more_set_headers -s 404 -t ", "access_by_lua_block {", "--[[", "map $a $b {"]
    ),
    st.text(max_size=8),
)  # fmt: skip
snippets = st.lists(pieces, max_size=8).map("".join)
CONFIGURATOR = Configurator(ProxySettings(state_directory="/state"))
PLAIN = CONFIGURATOR.configure(model([host(route(PrefixPath("")))], [backend(endpoint("a", 1))]))


@settings(max_examples=400, deadline=None)
@given(snippets, st.sampled_from(Context))
@example('proxy_set_header A "\n    http-request deny";', Context.LOCATION)
@example("return 200 '\x1b';", Context.LOCATION)
def test_any_text_is_read_and_stays_data(text: str, context: Context) -> None:
    reading = read_snippet(text, context)
    if reading.is_refused or len(snippet_entry(reading.steps)) > LARGEST:
        return
    changed = route(PrefixPath(""), snippet=reading.steps)
    wanted = CONFIGURATOR.configure(model([host(changed)], [backend(endpoint("a", 1))]))
    assert wanted.program == PLAIN.program
    for name in (Map.SNIPPETS, Map.SNIPPET_HEADERS):
        for key, value in all_entries(started(wanted), name):
            assert key.isascii()
            assert key.isprintable()
            assert value.isascii()
            assert value.isprintable()
            assert value == value.strip()


@settings(max_examples=200, deadline=None)
@given(snippets)
def test_any_text_about_a_question_is_read_or_refused(text: str) -> None:
    try:
        auth_headers(text)
    except SnippetRefused:
        return
