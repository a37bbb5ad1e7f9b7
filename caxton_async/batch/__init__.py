"""Batches that can be killed at any instant: rows in, a journal on disk, a report out."""
