"""Groups of checks on other machines: the same promise as a bench of this one, kept by a dask.distributed cluster.

`place.py` is where a campaign runs them (a Place); `worker.py` what a worker does with one; `parcel.py` what goes there
and `answer.py` what comes back, plain bytes; `gate.py` how many run side by side on a worker; `trust.py` who may talk
to whom. It may import everything below `cli`. Only these import dask. docs/farm.md is for whoever sets one up.
"""
