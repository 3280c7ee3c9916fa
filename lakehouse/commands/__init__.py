"""The commands of `lakehouse`, one module each."""

import argparse
from typing import TypeAlias

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What a command's `register` adds its parser to."""
