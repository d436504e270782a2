"""What is taken for parameters of Diffie-Hellman."""

import pytest

from remora.core.names import NamespacedName
from remora.core.settings import RoutingSettings
from remora.kube.objects import ConfigMap, ObjectMeta, Secret
from remora.translate import Translation, Translator
from remora.translate.dh_param import parse_dh_param
from remora.watch.store import EventType, Store
from tests.support.dh import PRIME_2048, PRIME_3072, pem_of

GOOD = pem_of(PRIME_2048)


def test_parameters_are_written_anew() -> None:
    text, fault = parse_dh_param(b"# made by openssl\n" + pem_of(PRIME_3072, exponent_bits=275) + b"\n\n")
    assert fault == ""
    assert text.splitlines()[0] == "-----BEGIN DH PARAMETERS-----"
    assert parse_dh_param(text.encode()) == (text, "")
    assert parse_dh_param(pem_of(PRIME_3072)) == (text, "")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "is not one block"),
        (b"rubbish", "is not one block"),
        (GOOD + GOOD, "is not one block"),
        (GOOD.replace(b"DH PARAMETERS", b"X9.42 DH PARAMETERS"), "is not one block"),
        (b"-----BEGIN DH PARAMETERS-----\nMIIB\n-----END DH PARAMETERS-----\n", "cannot be read"),
        (b"-----BEGIN DH PARAMETERS-----\nAAA\n-----END DH PARAMETERS-----\n", "cannot be read"),
        (b"-----BEGIN DH PARAMETERS-----\nMP8=\n-----END DH PARAMETERS-----\n", "cannot be read"),
        (pem_of((1 << 1023) + 1), "has 1024 bits"),
        (pem_of((1 << 4096) + 1), "has 4097 bits"),
        (pem_of(PRIME_2048 + 2), "has no prime"),
        (pem_of(PRIME_2048 + 1), "has no prime"),
        (pem_of(PRIME_2048, 1), "has no prime"),
        (pem_of(PRIME_2048, PRIME_2048 - 1), "has no prime"),
    ],
)
def test_what_is_none_says_why(text: bytes, fault: str) -> None:
    parameters, why = parse_dh_param(text)
    assert parameters == ""
    assert why.startswith(fault)


def test_no_bytes_are_too_odd() -> None:
    for position in range(0, len(GOOD), 7):
        parse_dh_param(GOOD[:position] + b"A" + GOOD[position + 1 :])
        parse_dh_param(GOOD[:position] + GOOD[position + 1 :])


def test_the_secret_is_followed() -> None:
    translator = Translator(RoutingSettings(session_key=b"", configmap=NamespacedName("remora", "controller")))
    store = Store()
    said = ConfigMap(metadata=ObjectMeta(name="controller", namespace="remora"), data={"ssl-dh-param": "remora/dh"})
    store.apply(EventType.ADDED, said)
    _check(translator.translate(store.snapshot, store.take_changes()), "there is no Secret remora/dh")
    texts = {b"": "Secret remora/dh has no dhparam.pem", b"x": "dhparam.pem of Secret remora/dh is not one block", GOOD: ""}
    for content, fault in texts.items():
        secret = Secret(metadata=ObjectMeta(name="dh", namespace="remora"), data={"dhparam.pem": content})
        store.apply(EventType.MODIFIED, secret)
        _check(translator.translate(store.snapshot, store.take_changes()), fault)


def _check(made: Translation, fault: str) -> None:
    assert made.model.options.ssl_dh_param == ("" if fault else parse_dh_param(GOOD)[0])
    found = [(one.field, one.message) for one in made.problems if one.code == "SettingRefused"]
    assert [field for field, _ in found] == (["data[ssl-dh-param]"] if fault else [])
    assert not fault or found[0][1].startswith(fault)
