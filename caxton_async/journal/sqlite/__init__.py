"""The journal in a file: SQLite, shared by the processes of one host."""
