"""A live view of a spool.

`state` counts what comes, `view` is what a person chose to see, `screen` draws the one by the other.
Only `terminal` knows the terminal, only `loop` the clock.
"""
