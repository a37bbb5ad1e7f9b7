"""Where processes share access tokens: one module for each kind of store."""
