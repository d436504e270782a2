"""The way over from ingress-nginx, decided: the plan, the comparison of two controllers, and the steps of the switch. Pure.

Values in, values out; what reads clusters and sends requests is in `cli`.
"""
