"""The order in which another authority for clients' certificates takes effect."""

from remora.core.names import Hostname
from remora.core.settings import ProxySettings
from remora.haproxy.command import Command
from remora.haproxy.configuration import Configuration, configure, without
from remora.haproxy.layout import Layout
from remora.model import Certificate, ClientCheck, ClientTls, FileKind, ForwardTo, HostTls, Model, UpstreamFile
from remora.plan.decide import RuntimeUpdate, decide, started
from remora.plan.files import render_files
from tests.support.certificates import self_signed
from tests.support.models import NAME, backend, endpoint, host, model, route

OLD, NEW = (UpstreamFile(FileKind.AUTHORITY, text) for text in (b"old", b"new"))
SETTINGS = ProxySettings(state_directory="/s")
LAYOUT = Layout("/s")
PEM = self_signed("web.example")


def configuration(file: UpstreamFile | None) -> Configuration:
    clients = ClientTls(ClientCheck.DEMANDED, file.name) if file else None
    name = f"default/web+{clients.trust}" if clients else "default/web"
    tls = HostTls(file.name) if file else HostTls()
    made = model(
        [host(route(action=ForwardTo(NAME), client_tls=clients))],
        [backend(endpoint("a", 1))],
        [Certificate(name, (Hostname("web.example"),), PEM, tls)],
    )
    return configure(_with_files(made, file), SETTINGS)


def _with_files(made: Model, file: UpstreamFile | None) -> Model:
    return Model(made.virtual_hosts, made.backends, made.certificates, upstream_files=(file,) if file else ())


def commands(before: UpstreamFile | None, after: UpstreamFile | None) -> list[Command]:
    plan = decide(started(configuration(before)), configuration(after), LAYOUT)
    assert isinstance(plan, RuntimeUpdate)
    return list(plan.commands)


def position(found: list[Command], *words: str) -> int:
    return next(number for number, one in enumerate(found) if all(word in one.text for word in words))


def test_while_the_authority_changes_connections_are_judged_by_neither() -> None:
    found = commands(OLD, NEW)
    unsure = position(found, "set map /s/maps/client-authorities.map web.example -")
    loaded = position(found, "commit ssl ca-file", NEW.name)
    listed = position(found, "add ssl crt-list")
    unlisted = position(found, "del ssl crt-list")
    trust = ClientTls(ClientCheck.DEMANDED, NEW.name).trust
    sure = position(found, f"set map /s/maps/client-authorities.map web.example {trust}")
    assert unsure < loaded < listed < unlisted < sure
    assert f"[ca-file /s/upstream/{NEW.name}.pem verify optional] web.example" in found[listed].payload


def test_a_new_authority_is_not_known_before_its_certificate_is_listed() -> None:
    found = commands(None, NEW)
    assert found[0].payload == "web.example -"
    assert position(found, "add ssl crt-list") < position(found, "set map /s/maps/client-authorities.map")


def test_a_host_that_asks_no_more_is_forgotten() -> None:
    assert position(commands(OLD, None), "del map /s/maps/client-authorities.map web.example") > 0


def test_files_say_the_same_as_commands() -> None:
    wanted = configuration(OLD)
    files = render_files(wanted, started(wanted), LAYOUT)
    assert f"[ca-file /s/upstream/{OLD.name}.pem verify optional] web.example".encode() in files[LAYOUT.crt_list]
    assert files[f"/s/upstream/{OLD.name}.pem"] == b"old"


def test_a_refused_backend_takes_no_authority_with_it() -> None:
    wanted = configuration(OLD)
    assert OLD.name in without(wanted, [next(iter(wanted.backends))]).files
