from remora.model import Access, Login, PrefixPath, Scheme
from remora.report.access_words import access_words
from remora.report.explain import policies
from tests.support.models import route

LOGIN = Login(Scheme.BASIC, "shop", (("ann", "sha1:c0ffee:"),))


def test_who_may_come_in_is_told_without_names_and_hashes() -> None:
    access = Access(allow=("10.0.0.0/8",), deny=("10.0.0.1/32",), login=LOGIN)
    told = list(policies(route(PrefixPath("/"), access=access)))
    assert told == [
        "403 for the addresses 10.0.0.1/32",
        "403 but for an address of 10.0.0.0/8",
        "401 without a name and a password: basic, realm 'shop', 1 name",
    ]
    assert "c0ffee" not in repr(access)


def test_where_any_is_enough_that_is_told() -> None:
    networks = tuple(f"10.0.0.{number}/32" for number in range(10))
    first, second, last = access_words(Access(allow=networks, login=LOGIN, satisfies_any=True))
    assert first.startswith("enough is an address of 10.0.0.0/32, ")
    assert first.endswith("10.0.0.7/32 and 2 more")
    assert second.startswith("enough is a name and a password")
    assert last == "any party that grants access is enough"
