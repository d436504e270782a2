"""What people are told through the API: addresses in an Ingress's status, and Events about Problems."""
