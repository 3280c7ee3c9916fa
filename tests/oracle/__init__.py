"""The independent answer: DESIGN's rules in plain Python, sharing nothing with the models."""

from .compare import assert_same, compare
from .decode import Rejected, decode
from .records import FileRecord, KafkaRecord, Record
from .tables import compute

__all__ = [
    "FileRecord",
    "KafkaRecord",
    "Record",
    "Rejected",
    "assert_same",
    "compare",
    "compute",
    "decode",
]
