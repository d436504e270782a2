"""The Kubernetes API as a client sees it: typed objects, HTTP, and a reflector that keeps up with the server."""
