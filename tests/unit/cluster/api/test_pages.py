"""Lists in pages: every page is of the list as it was at the first one."""

import base64
from typing import Any

import pytest

from remora.cluster.api.errors import ApiError
from remora.cluster.api.pages import Key, Pages, Place, key_of, parse_place, render_place, rest_of

KEY = Key("configmaps", "default", "", "", 7)


def objects(*names: str) -> list[dict[str, Any]]:
    return [{"metadata": {"namespace": "default", "name": name}} for name in names]


def test_a_page_shows_what_there_was_at_the_first_one() -> None:
    pages = Pages()
    pages.keep(KEY, objects("a", "b", "c"))
    later = KEY._replace(version=9)
    rest, version = rest_of(pages, later, objects("a", "bb"), Place(7, ("default", "a")))
    assert ([key_of(obj)[1] for obj in rest], version) == (["b", "c"], 7)


def test_a_list_that_nobody_remembers_can_be_gone_on_with_as_it_is_now() -> None:
    later = KEY._replace(version=9)
    with pytest.raises(ApiError) as caught:
        rest_of(Pages(), later, objects("a", "b"), Place(7, ("default", "a")))
    assert (caught.value.status, caught.value.reason) == (410, "Expired")
    going_on = parse_place(caught.value.to_wire()["metadata"]["continue"])
    assert rest_of(Pages(), later, objects("a", "b"), going_on) == (objects("b"), 9)


def test_only_so_many_lists_are_remembered() -> None:
    pages = Pages()
    for version in range(100):
        pages.keep(KEY._replace(version=version), objects("a"))
    assert pages.find(KEY._replace(version=0)) is None
    assert pages.find(KEY._replace(version=99)) is not None


def test_a_place_survives_being_written_down() -> None:
    place = Place(7, ("default", "a"))
    assert parse_place(render_place(place)) == place


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("abc", "invalid character 'i' looking for beginning of value"),
        ("ab!!!", "illegal base64 data at input byte 2"),
        ("é", "illegal base64 data at input byte 0"),
        ("", "unexpected end of JSON input"),
        (base64.urlsafe_b64encode(b"[]").decode().rstrip("="), ""),
        (base64.urlsafe_b64encode(b'{"rv":0,"start":["",""]}').decode().rstrip("="), "incorrect encoded start resourceVersion"),
        (
            base64.urlsafe_b64encode(b'{"rv":1,"start":["",""],"v":"v9"}').decode().rstrip("="),
            "does not recognize this encoded version v9",
        ),
    ],
)
def test_what_is_no_token_is_refused(token: str, said: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_place(token)
    assert caught.value.status == 400
    assert said in caught.value.message
