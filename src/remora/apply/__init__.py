"""The only package that touches HAProxy: its files, its process, its sockets."""
