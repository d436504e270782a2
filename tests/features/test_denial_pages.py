"""What is refused before a pod is asked has an error page too, if its status is listed."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from remora.apply.binary import find_binary
from remora.haproxy.features import error_pages
from remora.haproxy.grammar import Directive, Section, render_sections, rule, section
from remora.haproxy.lua import Script, script_text
from tests.support.proxy import free_ports


def refusals(pages_map: str) -> Iterator[Directive]:
    """Refuses with the status that the query names; below `/plain` for a route without a default backend."""
    yield rule("http-request set-var(txn.route) str(fetched)")
    yield rule("http-request set-var(txn.route) str(plain)", when="{ path_beg /plain }")
    yield from error_pages.request_rules(pages_map)
    for status in (403, 413, 429):
        when = f"{{ query -m sub deny={status} }}"
        yield from error_pages.rules_before_denial(status, pages_map, when=when)
        yield rule(f"http-request deny deny_status {status}", when=when)


def program(directory: str, front: int, errors: int) -> Iterator[Section]:
    socket = f"{directory}/pages.sock"
    yield section("global", lines=[rule("lua-load", f"{directory}/pages.lua", socket), rule("httpclient.retries 0")])
    times = (rule(f"timeout {what} 5s") for what in ("client", "connect", "server"))
    yield section("defaults", "base", lines=[rule("mode http"), *times])
    routes_map = f"{directory}/routes.map"
    yield from error_pages.sections(defaults="base", socket=socket, routes_map=routes_map, nowhere="errors", answers=())
    lines = [rule(f"bind 127.0.0.1:{front}"), *refusals(f"{directory}/pages.map"), rule("default_backend errors")]
    yield section("frontend", "front", "from", "base", lines=lines)
    page = rule("http-request return status 418 content-type text/plain lf-string", "%[method] page of %[req.hdr(x-code)]")
    yield section("frontend", "pages", "from", "base", lines=[rule(f"bind 127.0.0.1:{errors}"), page])
    yield section("backend", "errors", "from", "base", lines=[rule(f"server pages 127.0.0.1:{errors}")])


@pytest.fixture
async def url() -> AsyncIterator[str]:
    front, errors = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="remora-") as directory:
        listed = "fetched page|shop|web|front|80\nfetched/403 1\nfetched/413 1\nplain built-in|shop|web|front|80\nplain/403 1\n"
        texts = {
            "pages.map": listed,
            "routes.map": "fetched errors|errors|fetched|\n",
            "pages.lua": script_text(Script.ERROR_PAGES),
            "haproxy.cfg": render_sections(program(directory, front, errors)),
        }
        for name, text in texts.items():
            Path(directory, name).write_text(text)
        process = await asyncio.create_subprocess_exec(str(find_binary(None)), "-db", "-f", f"{directory}/haproxy.cfg")
        try:
            async with asyncio.timeout(30):
                while not Path(directory, "pages.sock").exists():
                    assert process.returncode is None
                    await asyncio.sleep(0.02)
            yield f"http://127.0.0.1:{front}"
        finally:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("/?deny=403", 418, "page of 403"),
        ("/?deny=413", 418, "page of 413"),
        ("/?deny=429", 429, "429"),
        ("/plain?deny=403", 404, "404 Not Found"),
        ("/plain?deny=413", 413, "413"),
    ],
)
async def test_a_listed_refusal_has_its_page(url: str, target: str, status: int, text: str, method: str) -> None:
    body = b"x" * 50_000 if method == "POST" else None
    async with aiohttp.ClientSession() as session, session.request(method, url + target, data=body) as response:
        assert response.status == status
        found = await response.text()
        assert text in found
        assert status != 418 or found == f"{method} {text}"
