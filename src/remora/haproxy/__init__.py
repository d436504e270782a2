"""HAProxy's program and its data.

The program (`haproxy.cfg`) depends on the settings only; what the cluster says is data that HAProxy takes while it runs:
map entries, servers of pool backends, certificates. Pure: a Model goes in, a Configuration comes out.
"""
