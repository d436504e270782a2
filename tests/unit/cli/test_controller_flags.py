from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cli.controller import run, settings_of
from remora.cli.controller_flags import FLAGS
from remora.cli.flags import parse_flags, parse_seconds
from remora.controller.place import TopologySettings
from remora.controller.settings import ControllerSettings
from remora.core.errors import UsageError
from remora.core.names import NamespacedName


def _settings(tmp_path: Path, *arguments: str) -> ControllerSettings:
    return settings_of(parse_flags([f"--state-dir={tmp_path}", *arguments], FLAGS), {"POD_NAME": "pod-1"})


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ([], True),
        (["--update-status"], True),
        (["--update-status=true"], True),
        (["--update-status=false"], False),
        (["-update-status=f"], False),
        (["--update-status=false", "--update-status"], True),
    ],
)
def test_booleans_are_read_as_go_does(arguments: list[str], value: bool) -> None:
    assert parse_flags(arguments, FLAGS)["update-status"] is value


def test_a_value_may_follow_the_flag_or_an_equals_sign() -> None:
    for arguments in (["--http-port", "81"], ["--http-port=81"]):
        assert parse_flags(arguments, FLAGS)["http-port"] == 81


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--http-port=http", r"--http-port: found 'http', needed a whole number from 1 to 65535"),
        ("--http-port=0", r"--http-port"),
        ("--http-port", r"--http-port needs a value"),
        ("--update-status=maybe", r"--update-status: found 'maybe', needed true or false"),
        ("--publish-service=web", r"--publish-service: found 'web', needed namespace/name"),
        ("--bind-address=localhost", r"needed IP addresses"),
        ("--log-format=xml", r"needed text or json"),
        ("--shutdown-grace-period=soon", r"1m30s"),
        ("--health-check-path=healthz", r"begins with a slash"),
        ("--ingres-class=x", r"unknown flag --ingres-class; did you mean --ingress-class\?"),
        ("nginx", r"'nginx' is not a flag"),
    ],
)
def test_a_bad_value_is_answered_with_what_would_be_right(argument: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_flags([argument], FLAGS)


def test_arguments_of_the_helm_chart_are_taken(tmp_path: Path) -> None:
    settings = _settings(
        tmp_path,
        "--publish-service=ingress-nginx/ingress-nginx-controller",
        "--election-id=ingress-nginx-leader",
        "--controller-class=k8s.io/ingress-nginx",
        "--ingress-class=nginx",
        "--configmap=ingress-nginx/ingress-nginx-controller",
        "--validating-webhook=:8443",
        "--validating-webhook-certificate=/usr/local/certificates/cert",
        "--validating-webhook-key=/usr/local/certificates/key",
        "--v=3",
    )
    assert settings.routing.configmap == NamespacedName("ingress-nginx", "ingress-nginx-controller")
    assert settings.publish.service == NamespacedName("ingress-nginx", "ingress-nginx-controller")
    assert settings.instance == "pod-1"


def test_every_flag_of_the_manifest_is_known() -> None:
    import yaml

    documents = yaml.safe_load_all((Path(__file__).parents[3] / "deploy" / "remora.yaml").read_text())
    (deployment,) = (one for one in documents if one["kind"] == "Deployment")
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    values = [argument.replace("$(POD_NAMESPACE)", "n").replace("$(POD_IP)", "10.0.0.1") for argument in arguments]
    assert parse_flags(values, FLAGS)["bind-address"] == ("10.0.0.1",)


def test_health_is_served_where_traffic_is_unless_told_otherwise(tmp_path: Path) -> None:
    assert _settings(tmp_path, "--bind-address=10.0.0.1,::1").health.hosts == ("10.0.0.1", "::1")
    assert _settings(tmp_path, "--healthz-host=127.0.0.1").health.hosts == ("127.0.0.1",)


def test_an_own_prefix_goes_before_the_historic_one(tmp_path: Path) -> None:
    prefixes = _settings(tmp_path, "--annotations-prefix=my.test").routing.annotations_prefixes
    assert prefixes == ("my.test", "ingress.kubernetes.io")


@pytest.mark.parametrize("argument", ["--publish-status-address=1.1.1.1", "--watch-namespace-selector=a=b"])
def test_what_excludes_each_other_or_is_not_supported_is_refused(tmp_path: Path, argument: str) -> None:
    with pytest.raises(UsageError, match=r"exclude|not supported"):
        _settings(tmp_path, "--publish-service=a/b", argument)


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"], {})
    shown = capsys.readouterr().out
    assert all(f"--{flag.name}" in shown for flag in FLAGS)


@given(st.integers(0, 99), st.integers(0, 59))
def test_durations_are_read_as_go_does(minutes: int, seconds: int) -> None:
    assert parse_seconds(f"{minutes}m{seconds}s") == minutes * 60 + seconds
    assert parse_seconds(str(seconds)) == seconds


def test_where_the_controller_is_comes_from_flags_and_environment(tmp_path: Path) -> None:
    flags = ("--enable-topology-aware-routing", "--resolvers=10.0.0.1,fd00::1,[fd00::2]:5353,10.0.0.2:54")
    settings = settings_of(parse_flags([f"--state-dir={tmp_path}", *flags], FLAGS), {"NODE_NAME": "node-1"})
    assert settings.topology == TopologySettings(enabled=True, node="node-1")
    assert settings.resolver.servers == (("10.0.0.1", 53), ("fd00::1", 53), ("fd00::2", 5353), ("10.0.0.2", 54))
    assert _settings(tmp_path).topology == TopologySettings()
    assert _settings(tmp_path, "--disable-svc-external-name").routing.disable_svc_external_name


@pytest.mark.parametrize("value", ["dns.example", "10.0.0.1:0", "10.0.0.1:x", "10.0.0.1:70000"])
def test_dns_servers_are_addresses(value: str) -> None:
    with pytest.raises(UsageError, match="--resolvers"):
        parse_flags([f"--resolvers={value}"], FLAGS)


def test_replicas_that_share_sessions_need_an_address_of_their_own(tmp_path: Path) -> None:
    proxy = _settings(tmp_path, "--peers-service=a/b", "--peers-port=99", "--bind-address=10.0.0.1").proxy
    assert (proxy.peer_name, proxy.peers_address, proxy.peers_port) == ("pod-1", "10.0.0.1", 99)
    with pytest.raises(UsageError, match="POD_IP"):
        _settings(tmp_path, "--peers-service=a/b")
    arguments = parse_flags([f"--state-dir={tmp_path}", "--peers-service=a/b"], FLAGS)
    settings = settings_of(arguments, {"POD_NAME": "pod-1", "POD_IP": "10.0.0.2"})
    assert settings.proxy.peers_address == "10.0.0.2"
    assert (settings.routing.peers_service, settings.routing.instance) == (NamespacedName("a", "b"), "pod-1")


def test_sessions_that_were_learned_are_known_for_as_long_as_a_flag_says(tmp_path: Path) -> None:
    assert _settings(tmp_path).proxy.learned_table_expire == 12 * 3600
    assert _settings(tmp_path, "--session-learn-timeout=90m").proxy.learned_table_expire == 5400


@pytest.mark.parametrize(("said", "interval"), [("1", 5.0), ("5s", 5.0), ("2m", 120.0)])
def test_statuses_are_looked_at_every_five_seconds_at_most(said: str, interval: float, tmp_path: Path) -> None:
    assert _settings(tmp_path, f"--status-update-interval={said}").status_interval == interval


def test_a_shadow_writes_nothing_and_issues_cookies_that_the_other_controller_understands(tmp_path: Path) -> None:
    settings = _settings(tmp_path, "--shadow", "--publish-status-address=192.0.2.1")
    assert settings.is_shadow
    assert (settings.publish.is_enabled, settings.empties_statuses, settings.election.is_enabled) == (False, False, False)
    assert settings.routing.session_cookie_format == "ingress-nginx"
    assert _settings(tmp_path, "--shadow", "--session-cookie-format=remora").routing.session_cookie_format == "remora"


@pytest.mark.parametrize("flag", ["--publish-session-counts", "--validating-webhook=:8443"])
def test_a_shadow_is_not_asked_to_write(tmp_path: Path, flag: str) -> None:
    with pytest.raises(UsageError, match=r"--shadow and --[a-z-]+ exclude each other"):
        _settings(tmp_path, "--shadow", flag)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--http-port=8080", "--https-port=8080"], "--http-port and --https-port are both 8080; give each a port of its own"),
        (["--https-port=10254"], "--https-port and --healthz-port are both 10254"),
        (["--http-port=81", "--healthz-port=81", "--healthz-host=127.0.0.1"], "--http-port and --healthz-port are both 81"),
        (["--dashboard-port=10254"], "--healthz-port and --dashboard-port are both 10254"),
    ],
)
def test_two_flags_cannot_name_one_port_of_an_address(tmp_path: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        _settings(tmp_path, *arguments)
    assert str(raised.value).startswith(said)


def test_one_port_of_two_addresses_is_two_ports(tmp_path: Path) -> None:
    hosts = ["--bind-address=127.0.0.2", "--healthz-host=127.0.0.3"]
    assert _settings(tmp_path, *hosts, "--http-port=81", "--healthz-port=81").health.port == 81
