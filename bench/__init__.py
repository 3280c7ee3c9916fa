"""How fast it is: `python -m bench` measures, `python -m bench page` writes docs/performance.md."""
