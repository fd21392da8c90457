"""How fast minigrad is, next to others that compute the same numbers: `python -m benchmarks`.

`problems.py` holds the data and the initial weights of each workload, `scalar.py` (S1, S2, S3), `tensor.py`
(T1 to T3), `svm.py` (T4), `convolution.py` (T5), `hessian.py` (H1, H1v) and `optimizer.py` (O100) one function per
peer, `chain.py` the cost of a million nodes, `growth.py` the sweeps and their drawing, `run.py` the runner, and
`README.md` the results and how to read them.
"""
