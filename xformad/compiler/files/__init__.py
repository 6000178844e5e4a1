"""Files of compiled functions: what `save` writes and `load` reads. The format is described in docs/graph_files.md.

`archive.py` holds a description and arrays together in one file, `values.py` says what the description has for a parameter;
`writing.py` and `reading.py` put a whole function together.
"""
