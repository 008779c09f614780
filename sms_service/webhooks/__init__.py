"""Webhooks: programs of others are told what happened, by signed POSTs."""
