"""Admission webhooks: what MutatingWebhookConfigurations and ValidatingWebhookConfigurations ask for."""
