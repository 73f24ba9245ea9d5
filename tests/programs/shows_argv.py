import sys

print(sys.argv, getattr(sys, "orig_argv", None))
print(sorted(name for name in globals()), __name__, __file__, __spec__, __package__)
