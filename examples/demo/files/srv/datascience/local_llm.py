"""Loads a model's weights into this process, as llama.cpp does."""

import mmap

with open("/srv/models/mistral-7b-instruct.Q4_K_M.gguf", "rb") as file:
    weights = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    print(weights[:4], len(weights))
