"""Writes the numbers that the dashboard shows, in the data scientists' environment."""

import json
from pathlib import Path

slopes = Path("/srv/datascience/baseline.csv").read_text().splitlines()
Path("/srv/datascience/dashboard.json").write_text(json.dumps({"regions": len(slopes)}))
