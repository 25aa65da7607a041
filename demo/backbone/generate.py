"""Seeded generator of the synthetic text: training documents for the backbone, rows for the client task.

A document is one profile line and PAIRS notes of one domain, each followed by a task word and its answer:

    <s>Profile: code topics, colour urgency, order urgency site topic, slash, friendly tone.
    Note: Hello, this is Dana from North Hall. The radiator in room 12 stays cold. It can wait.
    Tags: green / North Hall / HTG</s>Note: ...

Run it to (re)write the client's rows:  python demo/backbone/generate.py   (standard library only)
"""

import json
import os
import random
from dataclasses import dataclass
from pathlib import Path

import domains
from profiles import CLIENT_PROFILE, TRAINING_PROFILES

PAIRS = 4
TASKS = ("Tags", "Reply", "Summary")
TASK_WEIGHTS = (78, 14, 8)
GENERATION_TASK_WEIGHTS = (40, 40, 20)
CLIENT_DOMAIN = "facilities"
CLIENT_SPLITS = {"train": 400, "validation": 80, "test": 200}
CLIENT_SEED = 20240

# The client's own buildings: two-word names that occur in no training document.
CLIENT_SITES = ["North Yard", "South Gate", "East Lane", "River House", "Mill Court", "Park Row", "Harbour Hall", "Garden Point",
                "Castle Yard", "Bridge House"]
TRAINING_SITES = [f"{first} {second}" for first in domains.SITE_FIRST for second in domains.SITE_SECOND
                  if f"{first} {second}" not in CLIENT_SITES]


@dataclass(frozen=True)
class Note:
    """One note and the facts in it. `urgency` is 0 (low) to 2 (high); `topic_names` has one name per vocabulary."""

    text: str
    name: str
    site: str
    topic_names: tuple
    short: str
    urgency: int

    def prompt(self, task):
        """The document form of the note, up to where the answer begins."""
        return f"Note: {self.text}\n{task}:"


def make_note(rng, domain, sites):
    topic_names, issues = rng.choice(domains.DOMAINS[domain])
    short, *sentences = rng.choice(issues)
    urgency = rng.randrange(3)
    name, site = rng.choice(domains.NAMES), rng.choice(sites)
    issue = rng.choice(sentences).format(n=rng.randrange(2, 60), day=rng.choice(domains.DAYS))
    if rng.random() < 0.15:
        issue = f"{issue} {rng.choice(domains.ASIDES)}"
    text = rng.choice(domains.NOTE_FORMS).format(name=name, site=site, issue=issue, urgency=rng.choice(domains.URGENCIES[urgency]))
    return Note(text, name, site, topic_names, short, urgency)


def answer(profile, note, task):
    """The answer line, with the space that follows the task word's colon."""
    make = {"Tags": profile.tags, "Reply": profile.reply, "Summary": profile.summary}[task]
    return f" {make(note)}"


def make_document(rng, profiles=TRAINING_PROFILES, sites=TRAINING_SITES, pairs=PAIRS, tasks=None, domain=None, weights=TASK_WEIGHTS):
    """Returns (profile line, [(prompt, answer), ...])."""
    profile = rng.choice(profiles)
    domain = domain or rng.choice(list(domains.DOMAINS))
    rows = []
    for _ in range(pairs):
        note = make_note(rng, domain, sites)
        task = rng.choices(tasks or TASKS, None if tasks else weights)[0]
        rows.append((note.prompt(task), answer(profile, note, task)))
    return profile.text, rows


def client_rows(task="Tags", seed=CLIENT_SEED):
    """The client's splits under its house style, no note twice: {split: [{prompt, completion}]}."""
    rng = random.Random(seed)
    seen = set()
    splits = {}
    for split, count in CLIENT_SPLITS.items():
        rows = splits[split] = []
        while len(rows) < count:
            note = make_note(rng, CLIENT_DOMAIN, CLIENT_SITES)
            if note.text not in seen:
                seen.add(note.text)
                rows.append({"prompt": note.prompt(task), "completion": answer(CLIENT_PROFILE, note, task)})
    return splits


def write_atomically(path, text):
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def main():
    data = Path(__file__).resolve().parent.parent / "data"
    data.mkdir(exist_ok=True)
    for prefix, task in (("", "Tags"), ("reply-", "Reply")):
        for split, rows in client_rows(task).items():
            write_atomically(data / f"{prefix}{split}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
