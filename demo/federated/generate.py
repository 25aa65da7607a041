"""Writes the rows of the four sites of the federated demo: the notes and the house style of demo/data, each site with its own mix.

A site has its own buildings, notes of one trade, and one urgency (with --share below 1: mostly). The common test is demo/data/test.jsonl; no note of it,
and none of demo/data at all, is in a site's rows.

    python demo/federated/generate.py    (standard library only; the same result on every machine)
"""

import argparse
import json
import random
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "backbone"))

import domains  # noqa: E402
import generate  # noqa: E402

SEED = 4711
SPLITS = {"train": 60, "validation": 20, "test": 40}

# name -> (buildings, topic of its notes, their urgency: 0 low to 2 high)
SITES = {
    "compass": (["North Yard", "South Gate", "East Lane"], "plumbing", 2),
    "river": (["River House", "Bridge House", "Harbour Hall"], "electrical", 0),
    "mill": (["Mill Court", "Park Row"], "heating", 1),
    "castle": (["Castle Yard", "Garden Point"], "cleaning", 2),
}


def skewed(rng, items, favourite, share):
    """The favourite with a probability of `share`, else one of the others."""
    if rng.random() < share:
        return favourite
    return rng.choice([item for item in items if item != favourite])


def site_note(rng, buildings, topic, urgency, share):
    """A note as generate.make_note makes them, of a topic and an urgency drawn from the site's mix."""
    topics = [names[0] for names, _ in domains.DOMAINS[generate.CLIENT_DOMAIN]]
    wanted = (skewed(rng, topics, topic, share), skewed(rng, range(3), urgency, share))
    while True:
        note = generate.make_note(rng, generate.CLIENT_DOMAIN, buildings)
        if (note.topic_names[0], note.urgency) == wanted:
            return note


def site_rows(share=1.0, seed=SEED, task="Tags", splits=SPLITS):
    """{site: {split: [{prompt, completion}]}}, no note twice anywhere."""
    seen = {row["prompt"] for rows in generate.client_rows(task).values() for row in rows}
    sites = {}
    for site, (buildings, topic, urgency) in SITES.items():
        rng = random.Random(f"{seed} {site}")
        sites[site] = {}
        for split, count in splits.items():
            rows = sites[site][split] = []
            while len(rows) < count:
                note = site_note(rng, buildings, topic, urgency, share)
                row = {"prompt": note.prompt(task), "completion": generate.answer(generate.CLIENT_PROFILE, note, task)}
                if row["prompt"] not in seen:
                    seen.add(row["prompt"])
                    rows.append(row)
    return sites


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the notes that have the site's own topic; and its own urgency")
    parser.add_argument("--out", type=Path, default=HERE / "data")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for site, splits in site_rows(args.share).items():
        for split, rows in splits.items():
            generate.write_atomically(args.out / f"{site}-{split}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
