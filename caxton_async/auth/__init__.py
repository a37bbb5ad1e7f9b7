"""The access token: who logs in, who waits for it, and where processes share it."""
