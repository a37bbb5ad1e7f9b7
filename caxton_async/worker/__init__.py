"""Workers on many machines, which share the batches of a journal in PostgreSQL (extra `postgres`)."""

from caxton_async.worker.working import work_on

__all__ = ["work_on"]
