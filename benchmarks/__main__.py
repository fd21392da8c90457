"""`python -m benchmarks`: see `run.py`."""

from .run import main

if __name__ == "__main__":  # each peer's process imports this module too
    main()
