"""Reconciliation: what the vendor's APIs tell of what webhooks did not bring."""
