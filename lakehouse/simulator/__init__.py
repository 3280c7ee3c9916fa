"""A simulated gym chain whose members wear heart-rate trackers; the same seed, the same events."""
