/** The tables of a member's state, and the version of their format. */

/** The file in a state directory. */
export const MEMBER_FILE = 'member.db';
/** Marks a database as a member's state: "CTLM". */
export const APPLICATION_ID = 0x43544c4d;
/** SQLite's `user_version` of the tables below. Another one is refused: there is no migration. */
export const FORMAT_VERSION = 4;

/** Files of format 1, which had no database. */
export const FILES_OF_FORMAT_1 = ['pin.json', 'chain.jsonl', 'round.json', 'privacy-ledger.jsonl', 'data/examples.index'] as const;

/** Tables with one row have `id` 1. */
export const MEMBER_TABLES = `
  -- What the member has agreed to.
  CREATE TABLE pin (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    federation TEXT NOT NULL,
    member TEXT NOT NULL,
    manifest BLOB NOT NULL,
    signature BLOB NOT NULL,
    min_cohort INTEGER NOT NULL CHECK (min_cohort >= 1),
    min_threshold INTEGER NOT NULL CHECK (min_threshold >= 0),
    min_survivors INTEGER NOT NULL CHECK (min_survivors >= 0),
    min_difference INTEGER NOT NULL CHECK (min_difference >= 0)
  ) STRICT;
  -- The coordinator's broadcasts, verified.
  CREATE TABLE chain (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL, signature BLOB NOT NULL) STRICT;
  -- The newest round. Without an enlistment it is over for this member.
  CREATE TABLE round (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    round INTEGER NOT NULL CHECK (round >= 1),
    purpose TEXT,
    version INTEGER,
    promoted INTEGER,
    clip_norm REAL,
    enlistment BLOB,
    cohort INTEGER,
    secagg TEXT,
    payload_digest TEXT
  ) STRICT;
  -- What each round has cost, as JSON.
  CREATE TABLE ledger (round INTEGER PRIMARY KEY, event TEXT NOT NULL) STRICT;
  -- Large values, in parts; a generation counts once its name points at it.
  CREATE TABLE blobs (name TEXT PRIMARY KEY, generation INTEGER NOT NULL) STRICT;
  CREATE TABLE blob_parts (
    generation INTEGER NOT NULL,
    part INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (generation, part)
  ) STRICT;
  -- The key of the hashes of examples, and the hashes in the order of arrival: 24 bytes each, from the ordinal \`first\` on.
  CREATE TABLE example_key (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL) STRICT;
  CREATE TABLE examples (first INTEGER PRIMARY KEY, hashes BLOB NOT NULL) STRICT;
  -- How far rounds and versions have seen that order, and of which federation they are.
  CREATE TABLE arrivals (id INTEGER PRIMARY KEY CHECK (id = 1), federation TEXT NOT NULL) STRICT;
  CREATE TABLE round_marks (round INTEGER PRIMARY KEY, up_to INTEGER NOT NULL) STRICT;
  CREATE TABLE version_marks (version INTEGER PRIMARY KEY, parent INTEGER, up_to INTEGER) STRICT;
`;
