"""See one seed again, or try many: `python -m tests.simulation --seed 17` or `--seeds 1000`."""

import argparse
import logging
import sys
import time

import structlog

from tests.simulation.simulate import simulate


def main() -> int:
    """Run, and show what is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="only this one, with its whole trace")
    parser.add_argument("--seeds", type=int, default=1000, help="how many, from 0")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if given.seed is not None:
        outcome = simulate(given.seed)
        sys.stdout.write("\n".join(outcome.trace) + f"\n{outcome.broken or 'all holds'}\n")
        return 1 if outcome.broken else 0
    begun, bad = time.perf_counter(), []
    for seed in range(given.seeds):
        outcome = simulate(seed)
        if outcome.broken:
            bad.append(seed)
            sys.stdout.write(f"seed {seed}: {outcome.broken}\n")
    sys.stdout.write(f"{given.seeds} seeds in {time.perf_counter() - begun:.1f} s, {len(bad)} broken\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
