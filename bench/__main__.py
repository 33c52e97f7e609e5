"""``python -m bench``: the command behind ``make bench``."""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from bench import agreement, generator, plot, report, rounds, servers

ROOT = Path(__file__).parent.parent
EXPLANATION = ROOT / "docs" / "explanation"
FIGURES_BEGIN = "<!-- figures: written by `make bench ARGS=--publish` -->\n"
FIGURES_END = "<!-- end of figures -->"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Tocsin and its peers side by side, in one run.")
    parser.add_argument("--quick", action="store_true", help="1,000 connections, one round, under a minute")
    parser.add_argument("--publish", action="store_true", help="write the figures into docs/ too")
    parser.add_argument("--connections", type=int, help="sockets of each peer that can bear them")
    parser.add_argument("--rounds", type=int, help="times that each peer is measured")
    parser.add_argument("--only", nargs="+", choices=[peer.key for peer in servers.PEERS], help="these peers only")
    return parser.parse_args()


def main() -> int:
    """Run the bench; return 1 when a peer failed, 0 otherwise."""
    arguments = _arguments()
    plan = rounds.QUICK if arguments.quick else rounds.Plan()
    plan = replace(plan, connections=arguments.connections or plan.connections, rounds=arguments.rounds or plan.rounds)
    generator.compile_all()
    peers = []
    for peer in servers.PEERS:
        reason = None if not arguments.only or peer.key in arguments.only else "not asked for"
        reason = reason or servers.missing(peer)
        if reason:
            _say(f"{peer.title}: left out, {reason}")
        else:
            servers.prepare(peer)
            peers.append(peer)
    server_core, load_core = servers.cores()
    _say(f"server on core {server_core}, load on core {load_core}, {plan.connections:,} connections")
    os.sched_setaffinity(0, {load_core})
    results = report.Results(plan)
    for peer, measured in rounds.run(peers, plan, _say):
        results.add(peer, measured)
    print(report.table(results))
    os.sched_setaffinity(0, servers.AVAILABLE)
    print(flush=True)
    subprocess.run([sys.executable, "-m", "bench.callers"], cwd=ROOT, check=True, timeout=300)
    _write(results, ROOT / "bench" / "results", ROOT / "bench" / "results")
    ours = json.loads(report.as_json(results))
    agreed = agreement.sentence(agreement.nearest(EXPLANATION, ours), ours)
    print(f"\n{agreed}" if agreed else "", flush=True)
    if arguments.publish:
        _write(results, EXPLANATION, ROOT / "docs" / "images")
        page = EXPLANATION / "performance.md"
        before, begin, rest = page.read_text().partition(FIGURES_BEGIN)
        _, end, after = rest.partition(FIGURES_END)
        page.write_text(f"{before}{begin}\n{report.markdown(results, agreed)}\n{end}{after}")
    return 1 if results.faults else 0


def _write(results: report.Results, figures: Path, images: Path) -> None:
    figures.mkdir(parents=True, exist_ok=True)
    images.mkdir(parents=True, exist_ok=True)
    (figures / "bench.json").write_text(report.as_json(results))
    (images / "bench.svg").write_text(plot.svg(results))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
