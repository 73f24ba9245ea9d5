"""How gnomon comes into every Python of a machine, and what is known of them.

Standard library only, and nothing of gnomon outside this folder: it is also run from a zip file, by whatever
Python a machine has.
"""
