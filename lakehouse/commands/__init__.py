"""The commands of `lakehouse`, one module each."""
