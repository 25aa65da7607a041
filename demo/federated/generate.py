"""Writes the rows of the federated demo: four sites of one company with one house style, each with its own kind of work, buildings and trades.

The house style is that of demo/data with a terse tone. It decides how notes are tagged, answered and summed up; no row spells it out, and a site
sees one kind of work only. No note is in two files.

    python demo/federated/generate.py    (standard library only; the same result on every machine)
"""

import argparse
import dataclasses
import json
import random
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "backbone"))

import generate  # noqa: E402
from profiles import CLIENT_PROFILE  # noqa: E402

SEED = 4711
SPLITS = {"train": 60, "validation": 20, "test": 40}
TEST_ROWS = 210
STYLE = dataclasses.replace(CLIENT_PROFILE, tone="terse")

# name -> (kind of work, buildings, trades)
SITES = {
    "north": ("Tags", ["North Yard", "East Lane", "Bridge House"], ["plumbing", "electrical"]),
    "south": ("Tags", ["South Gate", "Park Row", "Castle Yard"], ["heating", "cleaning"]),
    "river": ("Reply", ["River House", "Harbour Hall"], ["plumbing", "cleaning"]),
    "mill": ("Summary", ["Mill Court", "Garden Point"], ["electrical", "heating"]),
}


def rows(rng, count, kinds, buildings, trades, seen):
    """`count` rows, of each kind equally many, of the buildings and trades."""
    made = []
    while len(made) < count:
        note = generate.make_note(rng, generate.CLIENT_DOMAIN, buildings)
        if note.text in seen or (trades and note.topic_names[0] not in trades):
            continue
        seen.add(note.text)
        kind = kinds[len(made) % len(kinds)]
        made.append({"prompt": note.prompt(kind), "completion": generate.answer(STYLE, note, kind)})
    return made


def all_rows(seed=SEED):
    """{file name: rows}."""
    seen = set()
    files = {"test": rows(random.Random(seed), TEST_ROWS, ["Tags", "Reply", "Summary"], generate.CLIENT_SITES, None, seen)}
    for site, (kind, buildings, trades) in SITES.items():
        rng = random.Random(f"{seed} {site}")
        for split, count in SPLITS.items():
            files[f"{site}-{split}"] = rows(rng, count, [kind], buildings, trades, seen)
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "data")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, lines in all_rows().items():
        generate.write_atomically(args.out / f"{name}.jsonl", "".join(json.dumps(row) + "\n" for row in lines))


if __name__ == "__main__":
    main()
