"""`python -m benchmarks [FIGURE …]`: one line of JSON per figure on standard output, other output on standard error."""

from __future__ import annotations

import argparse
import sys

from benchmarks.answering import ANSWERS
from benchmarks.auditing import AMENDING, AUDITING
from benchmarks.carrier import SUBMITS, WITH_RECEIPTS
from benchmarks.chaining import CHAIN
from benchmarks.comparing import COMPARISON
from benchmarks.costing import COSTS
from benchmarks.crowding import CROWD
from benchmarks.exporting import EXPORT
from benchmarks.figures import Benchmark, measure
from benchmarks.firing import FIRINGS
from benchmarks.laboratory import BenchmarkError, Laboratory
from benchmarks.live_counts import LIVE_COUNTS
from benchmarks.migrating import MIGRATION
from benchmarks.pages import PAGES, WATCHED
from benchmarks.parsing import READINGS
from benchmarks.preparing import IMPORT, IMPORT_MANY, IMPORT_MOST, RENDER
from benchmarks.previewing import PREVIEWS
from benchmarks.quizzing import QUIZ
from benchmarks.reading import LISTING
from benchmarks.receiving import RECEIVING
from benchmarks.sending import FREEZE, FREEZE_MANY, HTTP, PIPELINE
from benchmarks.stopping import STOPS
from benchmarks.strangers import STRANGERS
from benchmarks.telling import NOTES, WEBHOOKS
from benchmarks.ticking import TICK
from benchmarks.twilio import CREATES
from benchmarks.urgency import URGENT
from sms_service.embedded import EngineError

BENCHMARKS: tuple[Benchmark, ...] = (
    *READINGS,
    *(
        RENDER,
        IMPORT,
        IMPORT_MANY,
        IMPORT_MOST,
        FREEZE,
        FREEZE_MANY,
        PIPELINE,
        HTTP,
        RECEIVING,
        ANSWERS,
        AMENDING,
        AUDITING,
        EXPORT,
        LIVE_COUNTS,
        STRANGERS,
        URGENT,
        CROWD,
        FIRINGS,
        QUIZ,
    ),
    *(WEBHOOKS, NOTES, STOPS),
    *(SUBMITS, WITH_RECEIPTS, CREATES, TICK, CHAIN),
    *(PAGES, WATCHED, *PREVIEWS),
    *(MIGRATION, LISTING, *COSTS, COMPARISON),
)


def main() -> int:
    """Measure; returns the exit status: 0, or 1 if a figure could not be measured."""
    names = [name for benchmark in BENCHMARKS for name in benchmark.figures]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures how fast the service is.")
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"by default all: {', '.join(names)}")
    parser.add_argument("--runs", type=int, metavar="N", help="how often each is run; by default its own number")
    options = parser.parse_args()
    if unknown := set(options.figures) - set(names):
        parser.error(f"there is no figure {', '.join(sorted(unknown))}; figures are {', '.join(names)}")
    if options.runs is not None and options.runs < 1:
        parser.error(f"--runs is {options.runs}; it must be 1 or more")
    chosen = [b for b in BENCHMARKS if not options.figures or b.figures.keys() & set(options.figures)]
    try:
        with Laboratory() as laboratory:
            for benchmark in chosen:
                for line in measure(benchmark, laboratory, options.runs):
                    print(line, flush=True)
    except (BenchmarkError, EngineError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
