"""Clusters for the tests of other projects: `plugin` is what pytest finds by itself, `local_cluster` works without pytest.

They run in a thread of the test's own process, in a temporary folder, each with loopback addresses of its own.
"""
