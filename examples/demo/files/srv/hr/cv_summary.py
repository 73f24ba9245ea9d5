"""Has applications summarised by a model on this machine (Ollama)."""

import json
import urllib.request
from pathlib import Path

text = Path("/srv/hr/applications/4711.txt").read_text()
request = urllib.request.Request(
    "http://127.0.0.1:11434/api/generate",
    json.dumps({"model": "mistral", "prompt": "Summarise:\n" + text, "stream": False}).encode(),
    {"Content-Type": "application/json"},
)
with urllib.request.urlopen(request) as answer:
    print(json.load(answer)["response"])
