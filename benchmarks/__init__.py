"""How fast the service is: `make bench`, or `python -m benchmarks [FIGURE …]`. Results: docs/performance.md."""
