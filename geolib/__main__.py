"""Run the command line as `python -m geolib`."""

import sys

from geolib.cli import main

sys.exit(main())
