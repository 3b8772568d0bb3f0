"""The scheduler of a farm: dask's own, which knows who works and gives what a lost worker had to others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from distributed import Scheduler

from grader.bench.folder import folder_of_a_tester, sweep
from grader.farm import trust
from grader.farm.dask_settings import security_of
from harness.errors import SetupError, cause_of


async def serve(address: str, certificates: Path | None, *, say: Callable[[str], None], stop: asyncio.Event) -> None:
    """Be the scheduler at a checked address until `stop` is set. Raises SetupError."""
    sweep()  # what one has left here that was killed
    with folder_of_a_tester() as folder:
        scheduler = Scheduler(
            host=trust.host_of(address),
            port=int(address.rpartition(":")[2]),
            protocol=address.partition(":")[0],
            security=security_of(certificates),
            dashboard=False,
            dashboard_address="127.0.0.1:0",
            local_directory=str(folder),
        )
        try:
            await scheduler
        except OSError as error:
            raise SetupError(f"{address} cannot be listened at: {cause_of(error)}") from None
        async with scheduler:
            say(f"the scheduler is at {scheduler.address}; end it with ctrl-C")
            await stop.wait()
