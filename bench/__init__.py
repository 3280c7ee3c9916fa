"""How fast it is: `python -m bench` measures, docs/performance.md says what came out."""
