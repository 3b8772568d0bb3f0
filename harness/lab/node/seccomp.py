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
  Only a limit of one byte keeps it away, and 0 does not.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import struct

#: linux/prctl.h, linux/seccomp.h
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
#: linux/bpf_common.h: load a word of the data, jump if equal, jump if greater or equal, answer.
_LOAD, _EQUAL, _AT_LEAST, _ANSWER = 0x20, 0x15, 0x35, 0x06
#: Offsets in struct seccomp_data: the call's number, the machine, the low words of the first three arguments.
_NUMBER, _MACHINE, _FIRST, _SECOND, _THIRD = 0, 4, 16, 24, 32
_HIGH = 4  #: from a low word to its high one
#: uname -m -> (AUDIT_ARCH_* of linux/audit.h, the numbers of socket(2), setrlimit(2) and prlimit64(2) there).
_MACHINES = {"x86_64": (0xC000003E, 41, 160, 302), "aarch64": (0xC00000B7, 198, 164, 261)}
_RLIMIT_CORE = 4
#: Calls with this bit are x32's (arch/x86/include/uapi/asm/unistd.h).
_X32 = 0x40000000
#: io_uring_setup, _enter, _register have one number on every machine.
_IO_URING = (425, 426, 427)
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
}

Instruction = tuple[int, int, int, int]  #: code, jump if true, jump if false, operand (struct sock_filter)


def program(machine: str) -> list[Instruction]:
    """The filter for a machine (as `uname -m` says); empty for one whose numbers are not known here.

    Every jump goes forward, to a later block or to one of the answers at the end; distances are filled in last.
    """
    if machine not in _MACHINES:
        return []
    arch, socket_call, setrlimit, prlimit = _MACHINES[machine]
    blocks: dict[str, list[tuple[int, int, str, str]]] = {
        "calls": [
            (_LOAD, _MACHINE, "", ""),
            (_EQUAL, arch, "", "no such call"),
            (_LOAD, _NUMBER, "", ""),
            (_AT_LEAST, _X32, "no such call", ""),
            *((_EQUAL, number, "no such call", "") for number in _IO_URING),
            (_EQUAL, setrlimit, "setrlimit", ""),
            (_EQUAL, prlimit, "prlimit", ""),
            (_EQUAL, socket_call, "", "allow"),
            (_LOAD, _THIRD, "", ""),
            *((_EQUAL, protocol, "no such protocol", "") for protocol in PROTOCOLS),
            (_LOAD, _FIRST, "", ""),
            *((_EQUAL, family, "allow", "") for family in FAMILIES[:-1]),
            (_EQUAL, FAMILIES[-1], "allow", "no such family"),
        ],
        "setrlimit": [(_LOAD, _FIRST, "", ""), (_EQUAL, _RLIMIT_CORE, "done", "allow")],
        "prlimit": [  # with no new limit it only asks, as getrlimit() does
            (_LOAD, _SECOND, "", ""),
            (_EQUAL, _RLIMIT_CORE, "", "allow"),
            (_LOAD, _THIRD + _HIGH, "", ""),
            (_EQUAL, 0, "", "done"),
            (_LOAD, _THIRD, "", ""),
            (_EQUAL, 0, "allow", "done"),
        ],
    }
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
