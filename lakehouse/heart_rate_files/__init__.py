"""Real heart rates in the forms in which wearers and researchers have them.

`read_file` reads one file, `Export` all that folders, zips and files hold.
"""

from lakehouse.heart_rate_files.export import Export, read_heart_rates
from lakehouse.heart_rate_files.forms import KNOWN_FORMS, HeartRates, UnknownFormError

__all__ = ["KNOWN_FORMS", "Export", "HeartRates", "UnknownFormError", "read_heart_rates"]
