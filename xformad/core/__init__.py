"""What everything stands on: primitives, interpreters, tracers, rule tables, nodes and graphs.

Nothing in this package knows an operation's derivative or a transformation. In reading order:
`primitive` (an operation without a fixed meaning), `interpreter` (what gives it one), `tracer` (the handle
that carries a value through a program), `rules` (tables of rules), `graph` (the record of a run).
"""
