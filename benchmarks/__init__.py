"""How fast minigrad is, next to others that compute the same numbers: `python -m benchmarks`.

`problems.py` holds the data and the initial weights of each workload, `scalar.py` and `tensor.py` one function per
peer, `chain.py` the cost of a million nodes, `run.py` the runner, and `README.md` the results and how to read them.
"""
