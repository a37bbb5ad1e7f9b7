"""The journal in a PostgreSQL database, which any number of machines share (extra `postgres`)."""
