/**
 * The tables as kysely sees them. Integers are whole numbers below 2^53, times milliseconds since 1970, JSON is text; only SQL that SQLite and
 * PostgreSQL both speak is used above this line.
 */

interface FederationsTable {
  /** sha256 of the manifest, hex. */
  id: string;
  name: string;
  manifest: Uint8Array;
  signature: Uint8Array;
  status: string;
  /** JSON. */
  state: string;
  created_at: number;
  updated_at: number;
}

interface EventsTable {
  federation: string;
  seq: number;
  at: number;
  kind: string;
  /** JSON. */
  body: string;
}

interface MessagesTable {
  federation: string;
  round: number;
  stage: string;
  member: string;
  /** sha256 of the bytes, hex. */
  digest: string;
  length: number;
  /** Null when only the digest is kept. */
  bytes: Uint8Array | null;
  at: number;
}

interface AccumulatorsTable {
  federation: string;
  round: number;
  name: string;
  bytes: Uint8Array;
}

interface AccumulatorMembersTable {
  federation: string;
  round: number;
  name: string;
  member: string;
}

interface VersionsTable {
  federation: string;
  version: number;
  parent: number | null;
  round: number | null;
  status: string;
  digest: string;
  /** JSON. */
  details: string;
  /** Null when dropped. */
  parameters: Uint8Array | null;
  created_at: number;
}

interface BroadcastsTable {
  federation: string;
  seq: number;
  bytes: Uint8Array;
  signature: Uint8Array;
  hash: string;
  at: number;
}

interface PrivacySpendTable {
  federation: string;
  round: number;
  /** JSON. */
  entry: string;
  at: number;
}

interface ServerStateTable {
  federation: string;
  version: number;
  name: string;
  /** Little-endian float64. */
  vector: Uint8Array;
}

/** Every table, by name. */
export interface StoreSchema {
  federations: FederationsTable;
  events: EventsTable;
  messages: MessagesTable;
  accumulators: AccumulatorsTable;
  accumulator_members: AccumulatorMembersTable;
  versions: VersionsTable;
  broadcasts: BroadcastsTable;
  privacy_spend: PrivacySpendTable;
  server_state: ServerStateTable;
}
