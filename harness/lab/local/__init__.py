"""The lab on one machine, for laptops and trusted code: `lab.py`. It protects from accidents, not from malice.

`processes.py` knows the processes that it started, `children.py` limits them, `machine.py` says what the machine has
to give. `ordinary.py` is the only file that changes user.
"""
