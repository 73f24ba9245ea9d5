import sys

for number, line in enumerate(sys.stdin):
    print(number, line.rstrip()[::-1])
print(sys.stdin.read() == "", sys.stdin.isatty())
