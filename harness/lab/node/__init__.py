"""What runs in a student's node and beside it. Linux only.

`agent.py` is the first process in there, with `agent_child.py`, `agent_kernel.py`, `packing.py` and `proc.py`; these
stand alone (standard library) and travel into the node (`docker/code_tar.py`). `warden.py` is privileged and trusted,
stays outside, and is the only file that enters other namespaces; `mounts.py` and `sock_diag.py` are parts of it.
"""
