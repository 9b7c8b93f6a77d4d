"""`python -m tests.conformance [pytest arguments]`: the conformance tests, each result on a line of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.exit(pytest.main(["-v", "-rs", str(Path(__file__).parent), *sys.argv[1:]]))
