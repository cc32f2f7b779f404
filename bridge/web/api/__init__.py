"""`/api/v1`, its page `/docs`, and `/healthz`, `/readyz`, `/metrics` for operations."""
