"""Makes the folder that a new colleague finds on the first day."""

import shutil
import sys
from pathlib import Path

folder = Path("/srv/hr/onboarding") / sys.argv[1]
folder.mkdir(parents=True)
shutil.copy("/srv/hr/welcome.txt", folder / "welcome.txt")
