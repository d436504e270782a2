"""Names and hashes from what people write."""

import pytest

from remora.translate.passwords import file_lines, find_basic_users, find_digest_users, map_lines

SHA = "{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M="
PLAIN = "{PLAIN}a b"


def users(text: str) -> dict[str, str]:
    return find_basic_users(file_lines(text.encode()), salt=b"s")[0]


@pytest.mark.parametrize(
    "hashed",
    [
        "$apr1$MHJFXZ22$h/9Usu55EI2MeDOZGG0Uh/",
        "$1$abcdefgh$rlELB50f38LUhhk75DTw70",
        "$2y$05$JVTOSa8.5Ejhpiy9RbZFBe08cSKufDsgnjfY51t7soO0//Hm05S/m",
        "$5$abcdefgh$BlShvXo.3L9F.2nlZU387R5pVcSKbUx5PY33zaxwGu.",
        "$5$rounds=10000$saltstringsaltst$3xv.VbSCBX41eDL9L3voZredIRLgBzLzSpQx7bLzG3x",
        "WFMIf22fj0rig",
    ],
)
def test_a_hash_of_crypt_stays_as_it_is(hashed: str) -> None:
    assert users(f"ann:{hashed}:comment") == {"ann": hashed}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "{SHA}short",
        "{SHA}****",
        "{SSHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=",
        "$2y$31$JVTOSa8.5Ejhpiy9RbZFBe08cSKufDsgnjfY51t7soO0//Hm05S/m",
        "$6$rounds=999999999$abcdefgh$" + "a" * 86,
        "$9$abcdefgh$x",
        "$apr1$a b$h/9Usu55EI2MeDOZGG0Uh/",
        "$apr1$MHJFXZ22$h/9Usu55EI2MeDOZGG0Uh/\x00",
    ],
)
def test_what_is_no_hash_or_would_cost_seconds_lets_nobody_in(text: str) -> None:
    found, unusable = find_basic_users(file_lines(f"# nobody\nann:{text}\nann:{SHA}".encode()), salt=b"s")
    assert (found, unusable) == ({}, ["line 2"])


def test_the_first_line_of_a_name_counts_and_others_are_passed_over() -> None:
    assert users(f"#ann:{SHA}\nno colon\r\nann:{SHA}\nann:{PLAIN}\n:{SHA}") == {"ann": users(f"ann:{SHA}")["ann"]}


def test_no_password_stands_anywhere_as_it_is() -> None:
    assert "a b" not in users(f"ann:{PLAIN}")["ann"]
    assert users(f"ann:{PLAIN}") == users(f"ann:{PLAIN}")
    assert users(f"ann:{PLAIN}")["ann"] != users(f"bob:{PLAIN}")["bob"]


def test_a_map_has_a_key_for_every_name() -> None:
    found, unusable = find_basic_users(map_lines({"ann": SHA.encode() + b"\n", "bob": b"\xff"}), salt=b"s")
    assert (list(found), unusable) == (["ann"], ["key bob"])


def test_digest_takes_the_lines_of_its_realm() -> None:
    digest = "0123456789ABCDEF0123456789abcdef"
    lines = file_lines(f"ann:shop:{digest}\nann:shop:{'0' * 32}\nbob:other:{digest}\ncarl:shop:short\n".encode())
    assert find_digest_users(lines, realm="shop") == ({"ann": digest.lower()}, ["line 4"])
