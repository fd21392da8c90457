"""The generated parts of the documentation: the gate table, the conventions, the differences from PyTorch."""
