"""Where a tester runs: `local.py` starts one as a process, `docker.py` in a container, `choose.py` says which it is.

A bench hands on the tester's lines as they come, ends what is late, and judges nothing. It may import `verdict`,
`course`, `submission`. Begin with the protocol `Bench` in `local.py`.
"""
