"""System calls and address families that no program of the course needs, closed to the student's programs.

An engine's own profile differs from version to version, and this is a second filter over whatever it is: a classic BPF
program (seccomp(2), linux/filter.h) that a process sets for itself and for all it starts, and cannot take off again.

It runs in the student node (see agent.py): standard library only, Linux only. Closed are
- io_uring, which makes system calls that no filter and no tracer sees;
- sockets that are none of the course's: AF_VSOCK reaches the hypervisor, AF_ALG the kernel's ciphers, and so on;
- UDP-Lite, MPTCP, SCTP and DCCP, which would pass a link made for UDP and TCP in other ways. A runtime that tries MPTCP
  first (Go 1.24) takes TCP then;
- the calls of other machines (32-bit, x32), which have other numbers;
- a change of RLIMIT_CORE, which is done in appearance only: where the host hands core dumps to a program of its own
  (core(5), a pattern that begins with |), each crash would start that, as the host's root and outside all limits.
  Only a limit of one byte keeps it away, and 0 does not;
- what the kernel counts for nobody, or for the whole machine: locks on parts of a file (fcntl(2); no control group
  counts them, and whoever dies of SIGKILL first looks through all of them once for each descriptor that he closes;
  flock(2) is there), filters on sockets (net.core.bpf_jit_limit), kernel AIO (fs.aio-max-nr);
- the machine's disk: to write everything out (sync(2) and its like) and to forget what was read (posix_fadvise(2)) are
  done in appearance only. What a program can write is memory;
- what tells whether somebody has read a file of the image, in another node or before (preadv2(2) with a flag,
  cachestat(2)). A libc takes preadv(2) where no flag is wanted.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import struct
from collections.abc import Mapping

#: linux/prctl.h, linux/seccomp.h
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
#: linux/bpf_common.h: load a word of the data, jump if equal, jump if greater or equal, answer.
_LOAD, _EQUAL, _AT_LEAST, _ANSWER = 0x20, 0x15, 0x35, 0x06
#: Offsets in struct seccomp_data: the call's number, the machine, the low words of the first three arguments.
_NUMBER, _MACHINE, _FIRST, _SECOND, _THIRD = 0, 4, 16, 24, 32
_HIGH = 4  #: from a low word to its high one
#: uname -m -> AUDIT_ARCH_* of linux/audit.h, and the numbers of calls there (asm/unistd.h); x86_64, aarch64.
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CALLS = {
    "socket": (41, 198),
    "setrlimit": (160, 164),
    "prlimit64": (302, 261),
    "fcntl": (72, 25),
    "setsockopt": (54, 208),
    "io_setup": (206, 0),
    "preadv2": (327, 286),
    "sync": (162, 81),
    "syncfs": (306, 267),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    "msync": (26, 227),
    "fadvise64": (221, 223),
}
_DONE = ("sync", "syncfs", "fsync", "fdatasync", "msync", "fadvise64")
_RLIMIT_CORE = 4
#: Calls with this bit are x32's (arch/x86/include/uapi/asm/unistd.h).
_X32 = 0x40000000
#: io_uring_setup, _enter, _register and cachestat have one number on every machine.
_IO_URING, _CACHESTAT = (425, 426, 427), 451
#: F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW (linux/fcntl.h, on machines of 64 bits).
_RECORD_LOCKS = (6, 7, 37, 38)
#: SOL_SOCKET; SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF (asm/socket.h).
_SOL_SOCKET, _FILTERS = 1, (26, 50, 51, 52)
#: AF_UNIX, AF_INET, AF_INET6; AF_NETLINK, by which a libc lists interfaces.
FAMILIES = (1, 2, 10, 16)
#: IPPROTO_DCCP, _SCTP, _UDPLITE, _MPTCP.
PROTOCOLS = (33, 132, 136, 262)

#: How the filter may end, by the name that jumps to it.
_ANSWERS = {
    "allow": _ALLOW,
    "done": _ERRNO | 0,
    "no such call": _ERRNO | errno.ENOSYS,
    "no such family": _ERRNO | errno.EAFNOSUPPORT,
    "no such protocol": _ERRNO | errno.EPROTONOSUPPORT,
    "no such option": _ERRNO | errno.ENOPROTOOPT,
    "no lock": _ERRNO | errno.ENOLCK,
}

Instruction = tuple[int, int, int, int]  #: code, jump if true, jump if false, operand (struct sock_filter)


def _blocks(call: Mapping[str, int], audit: int) -> dict[str, list[tuple[int, int, str, str]]]:
    """The filter, with names where jumps go: the calls' numbers, then what is asked of some of them."""
    return {
        "calls": [
            (_LOAD, _MACHINE, "", ""),
            (_EQUAL, audit, "", "no such call"),
            (_LOAD, _NUMBER, "", ""),
            (_AT_LEAST, _X32, "no such call", ""),
            *((_EQUAL, number, "no such call", "") for number in (*_IO_URING, _CACHESTAT)),
            *((_EQUAL, call[name], "no such call", "") for name in ("io_setup", "preadv2")),
            *((_EQUAL, call[name], "done", "") for name in _DONE),
            *((_EQUAL, call[name], name, "") for name in ("setrlimit", "prlimit64", "fcntl", "setsockopt")),
            (_EQUAL, call["socket"], "", "allow"),
            (_LOAD, _THIRD, "", ""),
            *((_EQUAL, protocol, "no such protocol", "") for protocol in PROTOCOLS),
            (_LOAD, _FIRST, "", ""),
            *((_EQUAL, family, "allow", "") for family in FAMILIES[:-1]),
            (_EQUAL, FAMILIES[-1], "allow", "no such family"),
        ],
        "setrlimit": [(_LOAD, _FIRST, "", ""), (_EQUAL, _RLIMIT_CORE, "done", "allow")],
        "prlimit64": [  # with no new limit it only asks, as getrlimit() does
            (_LOAD, _SECOND, "", ""),
            (_EQUAL, _RLIMIT_CORE, "", "allow"),
            (_LOAD, _THIRD + _HIGH, "", ""),
            (_EQUAL, 0, "", "done"),
            (_LOAD, _THIRD, "", ""),
            (_EQUAL, 0, "allow", "done"),
        ],
        "fcntl": [
            (_LOAD, _SECOND, "", ""),
            *((_EQUAL, command, "no lock", "") for command in _RECORD_LOCKS[:-1]),
            (_EQUAL, _RECORD_LOCKS[-1], "no lock", "allow"),
        ],
        "setsockopt": [
            (_LOAD, _SECOND, "", ""),
            (_EQUAL, _SOL_SOCKET, "", "allow"),
            (_LOAD, _THIRD, "", ""),
            *((_EQUAL, option, "no such option", "") for option in _FILTERS[:-1]),
            (_EQUAL, _FILTERS[-1], "no such option", "allow"),
        ],
    }


def program(machine: str) -> list[Instruction]:
    """The filter for a machine (as `uname -m` says); empty for one whose numbers are not known here.

    Every jump goes forward, to a later block or to one of the answers at the end; distances are filled in last.
    """
    if machine not in _ARCHITECTURES:
        return []
    column = [*_ARCHITECTURES].index(machine)
    call = {name: numbers[column] for name, numbers in _CALLS.items()}
    blocks = _blocks(call, _ARCHITECTURES[machine])
    rows = [row for block in blocks.values() for row in block]
    places = {name: len(rows) + number for number, name in enumerate(_ANSWERS)}
    for block, before in zip(blocks, itertools.accumulate(map(len, blocks.values()), initial=0), strict=False):
        places[block] = before
    jumps = [
        (code, places[true] - at - 1 if true else 0, places[false] - at - 1 if false else 0, operand)
        for at, (code, operand, true, false) in enumerate(rows)
    ]
    return [*jumps, *((_ANSWER, 0, 0, answer) for answer in _ANSWERS.values())]


def close_what_nobody_needs() -> None:
    """Set the filter for this process and all it will start. Raises OSError.

    On a machine whose numbers are not known, or with a kernel without seccomp, the engine's own profile stands alone.
    """
    rows = program(os.uname().machine)
    if not rows:
        return
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in rows))
    fprog = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(rows), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    filtering = (_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(fprog), 0, 0)
    for words in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), filtering):
        if prctl(*words) != 0 and (number := ctypes.get_errno()) != errno.EINVAL:
            raise OSError(number, os.strerror(number))
