"""How dask is set up in a farm: no pages that anybody can ask for, few words, and what is lost is noticed soon."""

from __future__ import annotations

import logging
from pathlib import Path

import dask
from distributed import Security

from grader.farm import trust

#: Seconds without a word after which the scheduler gives a worker up, and has its groups run elsewhere.
LOST_AFTER = 60.0


def settle(*, lost_after: float = LOST_AFTER) -> None:
    """Set dask up in this process, before anything of it is started."""
    dask.config.set(
        {
            "distributed.scheduler.worker-ttl": f"{lost_after}s",
            "distributed.scheduler.http.routes": [],
            "distributed.worker.http.routes": [],
            # A part of a farm that is cut off is to be noticed, not waited for.
            "distributed.comm.timeouts.tcp": f"{max(lost_after, 20.0)}s",
            "distributed.comm.timeouts.connect": "5s",
            "distributed.comm.retry.count": 0,
            # Submissions are sent with the calls.
            "distributed.admin.large-graph-warning-threshold": "1GB",
        }
    )
    for name in ("distributed", "distributed.client"):  # what concerns anybody is said by whoever notices
        logging.getLogger(name).setLevel(logging.CRITICAL)


def security_of(certificates: Path | None) -> Security:
    """What dask is told of who may talk to whom. Raises SetupError."""
    return Security(**trust.security(certificates))
