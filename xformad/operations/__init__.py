"""The operations, a file a family, a block an operation: its implementation and its rules for every interpreter together.

`makers` names the algebra (`elementwise`, `moves`, `linear`, ...) so that an operation states only what is its own.
"""
