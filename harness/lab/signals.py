"""What a process has inherited from whoever started it: signals that are ignored, or that do not come at all.

A cron job, a service or a runner of a CI may start its children with some ignored or blocked, and execve(2) keeps both:
a server that is to end at SIGTERM never hears it, and of a child that ended while SIGCHLD is ignored nobody learns how.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable


def hear_all_signals(*, all_default: bool = False) -> None:
    """Let every signal come, and the end of a child be told; `all_default`: and do what it does by default.

    Without `all_default` what is ignored stays so: `nohup` means it.
    """
    if sys.platform == "win32":
        return
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    wanted: Iterable[signal.Signals] = signal.valid_signals() if all_default else [signal.SIGCHLD]
    for each in wanted:
        if signal.getsignal(each) is signal.SIG_IGN:
            signal.signal(each, signal.SIG_DFL)


def end_tidily() -> None:
    """Take SIGTERM, and a terminal that hangs up, for a Ctrl-C: KeyboardInterrupt, after which all is tidied up."""
    for name in ("SIGTERM", "SIGHUP"):
        if (number := getattr(signal, name, None)) and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
