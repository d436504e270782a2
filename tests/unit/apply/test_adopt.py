from remora.apply.adopt import parse_pools
from remora.haproxy.pool import Algorithm, BackendClass, Slot


def test_the_backends_of_each_class_are_counted_and_those_by_name_are_told() -> None:
    plain = ["persistent-plain-1", "persistent-plain-2", "persistent-plain-x"]
    names = ["# name", *plain, "persistent-rich-1", "default:web:80", "b:1"]
    pool, dedicated = parse_pools(names, {Slot("default:web:80"): "default/web:80", Slot("gone:80"): "gone"})
    assert {kind.name: count for kind, count in pool.items() if count} == {"persistent-plain": 2, "persistent-rich": 1}
    assert pool[BackendClass(Algorithm.SPREAD)] == 0
    assert dedicated == {"default/web:80"}
