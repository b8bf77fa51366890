"""`python -m primetime`, and the entry of primetime.pyz."""

import sys

from primetime.cli import main

sys.exit(main())
