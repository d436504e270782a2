"""Lists of addresses, passwords, and how they count together, on the real HAProxy."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remora.apply.executor import Executor
from remora.controller import slow_hashes
from remora.controller.slow_hashes import answering
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configuration, Configurator
from remora.haproxy.features.session_lifetime import derive_key
from remora.haproxy.layout import Layout
from remora.model import Access, Login, PrefixPath, Scheme
from remora.plan.outcome import OutcomeKind
from remora.translate.passwords import file_lines, find_basic_users
from tests.support.models import backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods


@pytest.mark.one_haproxy
@pytest.mark.parametrize(
    ("access", "status"),
    [
        (Access(allow=("127.0.0.0/8",)), 200),
        (Access(allow=("127.0.0.1/32", "10.0.0.0/8")), 200),
        (Access(allow=("127.0.0.0/31",)), 200),
        (Access(allow=("0.0.0.0/0",)), 200),
        (Access(allow=("127.0.0.2/31",)), 403),
        (Access(allow=("::/0",)), 403),
        (Access(allow=("7f00::/8", "::1/128")), 403),
        (Access(deny=("127.0.0.0/9",)), 403),
        (Access(deny=("126.0.0.0/8", "::/0")), 200),
        (Access(allow=("0.0.0.0/0",), deny=("127.0.0.1/32",)), 403),
        (Access(allow=("127.0.0.1/32",), deny=("127.0.0.2/32",), satisfies_any=True), 200),
        (Access(allow=("127.0.0.2/32",), satisfies_any=True), 403),
        (Access(deny=("127.0.0.2/32",), satisfies_any=True), 200),
    ],
)
async def test_an_address_is_let_in_by_the_lists_of_its_route(
    access: Access, status: int, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    wanted = model([host(route(access=access))], [backend(endpoint("a", await pods.start("a")))])
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    assert (await client.get("web.example", "/"))[0] == status


PASSWORD = "secret word"
HASHES = {
    "apr1": "$apr1$MHJFXZ22$h/9Usu55EI2MeDOZGG0Uh/",
    "bcrypt": "$2y$05$JVTOSa8.5Ejhpiy9RbZFBe08cSKufDsgnjfY51t7soO0//Hm05S/m",
    "sha": "{SHA}PDUC6jG3V40qqE4XqHRFLkyoMVM=",
    "ssha": "{SSHA}" + base64.b64encode(hashlib.sha1(b"secret wordsalt").digest() + b"salt").decode(),
    "des": "WFMIf22fj0rig",
    "plain": "{PLAIN}secret word",
    "sha256": "$5$igMCb3hKV/eA/FzK$l6tXHVk2OGEYhx5V0iJWcP5W4a.5gLWM3HOpni9YJvD",
    "sha512": "$6$zWoxQtmDfses0Ad6$Bn9Twex0HdAYtT7SIrc7.aU5eMzsNTWP9YgRHOUPnbUhgXQ8jw2unG4i4QAaqIjj8XlWtTTudxw76PIFWqdnC0",
    "md5": "$1$abcdefgh$rlELB50f38LUhhk75DTw70",
}
"""What `htpasswd -nb` with -m -B -s -d -p -5 -2 and `openssl passwd -1` make of the password."""
LONG = "pässwörd with a much longer text than sixteen"
OTHERS = {"short": ("a", "$apr1$abcdefgh$G8IsPsylW5ROvIKsQMRG61"), "long": (LONG, "$apr1$xyz$keofY3l8d1bvuTxBdag4V0")}
FILE = "".join(f"{user}:{hashed}\n" for user, hashed in HASHES.items()) + "".join(
    f"{user}:{hashed}:comment\n" for user, (_, hashed) in OTHERS.items()
)
BARE = "bare:secret word\nempty:\n"
HASH_OF_MINE = "{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M="  # test


def login(text: str = FILE, realm: str = "The shop") -> Login:
    users, _ = find_basic_users(file_lines((text + BARE).encode()), salt=b"salt")
    return Login(Scheme.BASIC, realm, tuple(sorted(users.items())))


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def proxy_settings(proxy_settings: ProxySettings) -> ProxySettings:
    return msgspec.structs.replace(proxy_settings, lifetime_key=derive_key(b"key of the cluster"))


@pytest.fixture
async def controller(proxy_settings: ProxySettings) -> AsyncIterator[None]:
    """Whom HAProxy asks about slow hashes."""
    async with answering(Path(Layout(proxy_settings.state_directory).passwords_socket)):
        yield


async def serve(executor: Executor, settings: ProxySettings, pods: Pods, **policies: Any) -> None:
    wanted = model([host(route(**policies))], [backend(endpoint("a", await pods.start("a")))])
    await executor.apply(Configurator(settings).configure(wanted))


@pytest.mark.usefixtures("controller")
async def test_every_hash_of_htpasswd_lets_in_who_knows_the_password(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    await serve(executor, proxy_settings, pods, access=Access(login=login()))
    known = dict.fromkeys(HASHES, PASSWORD) | {user: password for user, (password, _) in OTHERS.items()}
    for user, password in known.items():
        for _ in range(2):
            status, _, body = await client.get("web.example", "/", headers=basic(user, password))
            assert (user, status) == (user, 200)
            assert "authorization" not in json.loads(body)["headers"]
        status, headers, _ = await client.get("web.example", "/", headers=basic(user, password[1:]))
        assert (user, status) == (user, 401)
        assert headers["www-authenticate"] == 'Basic realm="The shop"'


@pytest.mark.one_haproxy
@pytest.mark.usefixtures("controller")
@pytest.mark.parametrize(
    "sent",
    [
        {},
        basic("nobody", PASSWORD),
        basic("", PASSWORD),
        basic("sha", ""),
        basic("SHA", PASSWORD),
        basic("bare", PASSWORD),
        basic("empty", ""),
        basic("sha/../md5", PASSWORD),
        basic("bcrypt", "x" * 4000),
        {"Authorization": "Basic"},
        {"Authorization": "Basic $$$"},
        {"Authorization": "Bearer " + basic("sha", PASSWORD)["Authorization"][6:]},
        {"Proxy-Authorization": basic("sha", PASSWORD)["Authorization"]},
        {"X-Authorization": basic("sha", PASSWORD)["Authorization"]},
        {"Authorization": "Digest username=sha"},
    ],
)
async def test_other_credentials_are_asked_for_again(
    sent: dict[str, str], executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    await serve(executor, proxy_settings, pods, access=Access(login=login(realm="")))
    status, headers, _ = await client.get("web.example", "/", headers=sent)
    assert (status, headers["www-authenticate"]) == (401, 'Basic realm=""')


@pytest.mark.one_haproxy
@pytest.mark.parametrize(
    "path", ["/private", "//private", "/./private", "/%70rivate", "/x/../private/a", "/private/%2e", "/private;a=b/../private"]
)
async def test_no_spelling_of_a_path_passes_its_guard(
    path: str, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    routes = [route(PrefixPath("")), route(PrefixPath("/private"), access=Access(login=login()))]
    wanted = model([host(*routes)], [backend(endpoint("a", await pods.start("a")))])
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    for name in ("web.example", "WEB.example:80"):
        assert (await client.get(name, path))[0] == 401
        assert (await client.get(name, path, headers=basic("sha", PASSWORD)))[0] == 200
    assert (await client.get("web.example", "/privately"))[0] == 200


async def test_two_authorizations_are_refused(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    await serve(executor, proxy_settings, pods, access=Access(login=login()))
    right, wrong = (basic("sha", word)["Authorization"] for word in (PASSWORD, "no"))
    for pair in ((right, wrong), (wrong, right)):
        lines = "".join(f"authorization: {one}\r\n" for one in pair)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy_settings.http_port)
        writer.write(f"GET / HTTP/1.1\r\nHost: web.example\r\n{lines}\r\n".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
        writer.close()


async def test_http_2_is_asked_as_well(executor: Executor, proxy_settings: ProxySettings, pods: Pods) -> None:
    await serve(executor, proxy_settings, pods, access=Access(login=login()))
    url = f"http://127.0.0.1:{proxy_settings.http_port}/"
    for arguments, status in (((), "401"), (("-u", f"sha:{PASSWORD}"), "200"), (("-u", "sha:no"), "401")):
        command = ("curl", "-s", "--http2-prior-knowledge", "-H", "Host: web.example", "-o", "/dev/null", "-w", "%{http_code}")
        process = await asyncio.create_subprocess_exec(*command, *arguments, url, stdout=asyncio.subprocess.PIPE)
        assert (await process.communicate())[0].decode() == status


async def test_a_changed_secret_counts_at_once_and_without_a_reload(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    port = await pods.start("a")

    def wanted(text: str) -> Configuration:
        routes = [route(access=Access(login=login(text)))]
        return Configurator(proxy_settings).configure(model([host(*routes)], [backend(endpoint("a", port))]))

    async def status(password: str) -> int:
        return (await client.get("web.example", "/", headers=basic("ann", password)))[0]

    await executor.apply(wanted(f"ann:{HASH_OF_MINE}\n"))
    assert [await status("test"), await status("test"), await status("a")] == [200, 200, 401]
    assert (await executor.apply(wanted("ann:$apr1$abcdefgh$G8IsPsylW5ROvIKsQMRG61\n"))).kind is OutcomeKind.RUNTIME
    assert [await status("test"), await status("a")] == [401, 200]
    assert (await executor.apply(wanted("bob:{PLAIN}b\n"))).kind is OutcomeKind.RUNTIME
    assert [await status("test"), await status("a")] == [401, 401]


async def test_who_is_known_gets_in_while_the_controller_is_away(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    await serve(executor, proxy_settings, pods, access=Access(login=login()))
    async with answering(Path(Layout(proxy_settings.state_directory).passwords_socket)):
        assert (await client.get("web.example", "/", headers=basic("bcrypt", PASSWORD)))[0] == 200
    assert (await client.get("web.example", "/", headers=basic("bcrypt", PASSWORD)))[0] == 200
    assert (await client.get("web.example", "/", headers=basic("apr1", PASSWORD)))[0] == 200
    status, headers, _ = await client.get("web.example", "/", headers=basic("sha512", PASSWORD))
    assert (status, headers["retry-after"]) == (503, "10")


async def test_a_reload_hands_on_who_is_known(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    await serve(executor, proxy_settings, pods, access=Access(login=login()))
    async with answering(Path(Layout(proxy_settings.state_directory).passwords_socket)):
        assert (await client.get("web.example", "/", headers=basic("bcrypt", PASSWORD)))[0] == 200
    async with asyncio.timeout(40):  # a worker that found nobody to learn from teaches nobody for five seconds
        while "resync_timeout=<PAST>" not in "".join((await executor._process.ask_workers("show peers")).values()):
            await asyncio.sleep(0.2)
    await serve(executor, msgspec.structs.replace(proxy_settings, server_timeout=61), pods, access=Access(login=login()))
    async with asyncio.timeout(30):
        while (await client.get("web.example", "/", headers=basic("bcrypt", PASSWORD)))[0] != 200:
            await asyncio.sleep(0.05)


async def test_a_slow_hash_is_tried_once_for_all_who_ask_and_guesses_are_bounded(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bytes] = []
    look = slow_hashes.fits_hash

    def counted(hashed: bytes, password: bytes) -> bool:
        tried.append(password)
        return look(hashed, password)

    monkeypatch.setattr(slow_hashes, "fits_hash", counted)
    await serve(executor, proxy_settings, pods, access=Access(login=login()))
    async with answering(Path(Layout(proxy_settings.state_directory).passwords_socket)):

        async def status(password: str) -> int:
            return (await client.get("web.example", "/", headers=basic("bcrypt", password)))[0]

        assert await asyncio.gather(*(status(PASSWORD) for _ in range(8))) == [200] * 8
        assert tried == [PASSWORD.encode()]
        assert await asyncio.gather(*(status("wrong") for _ in range(5))) == [401] * 5
        assert await status("wrong") == 401
        assert tried == [PASSWORD.encode(), b"wrong"]
        guesses = await asyncio.gather(*(status(f"guess {number}") for number in range(40)))
        assert set(guesses) == {401, 429}
        assert len(tried) <= 12
        assert await status(PASSWORD) == 200


HERE, ELSEWHERE = ("127.0.0.1/32",), ("192.0.2.0/24",)


@pytest.mark.one_haproxy
@pytest.mark.parametrize(
    ("access", "without", "with_password"),
    [
        (Access(allow=HERE, login=login()), 401, 200),
        (Access(allow=ELSEWHERE, login=login()), 403, 403),
        (Access(deny=HERE, login=login()), 403, 403),
        (Access(allow=HERE, login=login(), satisfies_any=True), 200, 200),
        (Access(allow=ELSEWHERE, login=login(), satisfies_any=True), 401, 200),
        (Access(deny=HERE, login=login(), satisfies_any=True), 401, 200),
        (Access(deny=ELSEWHERE, login=login(), satisfies_any=True), 401, 200),
        (Access(allow=HERE, deny=HERE, login=login(), satisfies_any=True), 401, 200),
        (Access(deny=ELSEWHERE, satisfies_any=True), 200, 200),
    ],
)
async def test_any_is_enough_or_all_must_agree(
    access: Access,
    without: int,
    with_password: int,
    executor: Executor,
    proxy_settings: ProxySettings,
    pods: Pods,
    client: Client,
) -> None:
    await serve(executor, proxy_settings, pods, access=access)
    status, headers, _ = await client.get("web.example", "/")
    assert (status, "www-authenticate" in headers) == (without, without == 401)
    status, _, body = await client.get("web.example", "/", headers=basic("sha", PASSWORD))
    assert status == with_password
    if status == 200 and access.login:
        assert "authorization" not in json.loads(body)["headers"]


async def test_a_pods_own_401_has_no_challenge_of_ours(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    await serve(executor, proxy_settings, pods, access=Access(login=login()))
    sent = basic("sha", PASSWORD) | {"x-status": "401", "x-answer-WWW-Authenticate": "Bearer"}
    status, headers, _ = await client.get("web.example", "/", headers=sent)
    assert (status, headers["www-authenticate"]) == (401, "Bearer")


DIGEST = Access(login=Login(Scheme.DIGEST, "The shop", (("ann", hashlib.md5(b"ann:The shop:secret word").hexdigest()),)))


def fields(challenge: str) -> dict[str, str]:
    return {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|(\w+))', challenge)}


def md5(*parts: str) -> str:
    return hashlib.md5(":".join(parts).encode()).hexdigest()


def answer(
    challenge: str, password: str = PASSWORD, *, user: str = "ann", uri: str = "/a?b=c", **changed: str
) -> dict[str, str]:
    """What a client sends (RFC 7616 section 3.4)."""
    said = fields(challenge)
    sent = {
        "username": user,
        "realm": said["realm"],
        "nonce": said["nonce"],
        "uri": uri,
        "cnonce": "x",
        "nc": "00000001",
        "qop": "auth",
    }
    sent |= changed
    secret = md5(user, sent["realm"], password)
    response = md5(secret, sent["nonce"], sent["nc"], sent["cnonce"], sent["qop"], md5("GET", uri))
    return {
        "Authorization": "Digest " + ", ".join(f'{name}="{value}"' for name, value in {**sent, "response": response}.items())
    }


async def test_digest_lets_in_who_knows_the_password_and_nobody_else(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    await serve(executor, proxy_settings, pods, access=DIGEST)
    status, headers, _ = await client.get("web.example", "/a?b=c")
    challenge = headers["www-authenticate"]
    assert status == 401
    assert fields(challenge) | {"nonce": ""} == {"realm": "The shop", "qop": "auth", "algorithm": "MD5", "nonce": ""}

    async def got(sent: dict[str, str], path: str = "/a?b=c") -> int:
        return (await client.get("web.example", path, headers=sent))[0]

    right = answer(challenge)
    assert await got(right) == 200
    assert "authorization" not in json.loads((await client.get("web.example", "/a?b=c", headers=right))[2])["headers"]
    assert await got(right, "/a?b=d") == 401
    assert await got(answer(challenge, "secret")) == 401
    assert await got(answer(challenge, user="bob")) == 401
    assert await got(answer(challenge, realm="Another")) == 401
    assert await got(answer(challenge, qop="auth-int")) == 401
    assert await got(answer(challenge, nonce=fields(challenge)["nonce"][:-1] + "x")) == 401
    assert await got(answer(challenge, algorithm="SHA-256")) == 401
    assert await got({"Authorization": right["Authorization"] + ', realm="The shop"'}) == 401
    assert await got({"Authorization": right["Authorization"][:-1]}) == 401
    assert await got(basic("ann", PASSWORD)) == 401


async def test_an_old_nonce_is_called_stale_so_that_nobody_is_asked_again(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    await serve(executor, proxy_settings, pods, access=DIGEST)
    time = f"{int(datetime.now(UTC).timestamp()) - 400:08x}"
    key = base64.b64decode(derive_key(b"key of the cluster"))
    signature = hmac.digest(key, f"digest {route().id} {time}".encode(), "sha256").hex()[:32]
    old = f'Digest realm="The shop", nonce="{time}{signature}"'
    for password, is_stale in ((PASSWORD, True), ("wrong", False)):
        status, headers, _ = await client.get("web.example", "/a?b=c", headers=answer(old, password))
        assert (status, "stale=true" in headers["www-authenticate"]) == (401, is_stale)
