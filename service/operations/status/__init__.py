"""What `GET /status` and `/readyz` tell (I8)."""
