"""The Ingress controller: its one loop, and the root that puts its parts together."""
