"""House styles ("profiles"): how one company wants its notes tagged and answered.

A profile is five choices. Spelled out it is one line of text; the backbone is trained to follow that line. A few
combinations are held out: their line occurs in no training document, and one of them is the demo client's house style.
"""

import itertools
from dataclasses import dataclass

from domains import TOPIC_VOCABULARIES

URGENCY_VOCABULARIES = {
    "level": ("low", "normal", "high"),
    "colour": ("green", "amber", "red"),
    "grade": ("P3", "P2", "P1"),
    "time": ("later", "soon", "now"),
}
ORDERS = (
    ("site", "topic", "urgency"),
    ("topic", "urgency", "site"),
    ("urgency", "site", "topic"),
    ("topic", "site", "urgency"),
)
SEPARATORS = {"slash": " / ", "bar": " | ", "semicolon": "; "}
TONES = ("formal", "friendly", "terse")

REPLY_TIMES = ("next week", "within two days", "right away")
REPLIES = {
    "formal": "Dear {name}, thank you for your note. The {team} will handle the {short} at {site} {when}.",
    "friendly": "Hi {name}, thanks for telling us! Our {team} will sort out the {short} at {site} {when}.",
    "terse": "{site}, {short}: {team}, {when}.",
}
SUMMARIES = {
    "formal": "{name} of {site} reports: {short}.",
    "friendly": "{name} over at {site} asks about this: {short}.",
    "terse": "{site}: {short}",
}


@dataclass(frozen=True)
class Profile:
    """One house style. `text` is the line that spells it out."""

    topics: str
    urgency: str
    order: tuple
    separator: str
    tone: str

    @property
    def text(self):
        return (f"Profile: {self.topics} topics, {self.urgency} urgency, order {' '.join(self.order)}, "
                f"{self.separator}, {self.tone} tone.\n")

    @property
    def tagging(self):
        """The part of the profile that decides the tag line."""
        return (self.topics, self.urgency, self.order, self.separator)

    def tags(self, note):
        fields = {
            "site": note.site,
            "topic": note.topic_names[TOPIC_VOCABULARIES.index(self.topics)],
            "urgency": URGENCY_VOCABULARIES[self.urgency][note.urgency],
        }
        return SEPARATORS[self.separator].join(fields[field] for field in self.order)

    def reply(self, note):
        return REPLIES[self.tone].format(name=note.name, site=note.site, short=note.short, team=note.topic_names[3],
                                         when=REPLY_TIMES[note.urgency])

    def summary(self, note):
        return SUMMARIES[self.tone].format(name=note.name, site=note.site, short=note.short)


ALL_PROFILES = [Profile(*choice) for choice in
                itertools.product(TOPIC_VOCABULARIES, URGENCY_VOCABULARIES, ORDERS, SEPARATORS, TONES)]

# The demo client's house style: never spelled out in training, never in the client's rows.
CLIENT_PROFILE = Profile("code", "colour", ("urgency", "site", "topic"), "slash", "friendly")

# One tagging scheme in twelve is held out, in all tones (index arithmetic: every single choice stays well covered).
_TAGGINGS = list(dict.fromkeys(profile.tagging for profile in ALL_PROFILES))
_HELD_OUT = {tagging for index, tagging in enumerate(_TAGGINGS) if index % 12 == (index // 12) % 12} | {CLIENT_PROFILE.tagging}
HELD_OUT_PROFILES = [profile for profile in ALL_PROFILES if profile.tagging in _HELD_OUT]
TRAINING_PROFILES = [profile for profile in ALL_PROFILES if profile.tagging not in _HELD_OUT]
