/** The gauges of a server, read at each scrape. */
import type { GaugeTable } from '../observability/metrics.js';

/** Gauges by their names in the server's counts. */
export const serverGauges = {
  inFlightCalls: ['cutlayer_in_flight_calls', 'Calls admitted and not yet answered; waiting ones are among them.'],
  openStreams: ['cutlayer_open_streams', 'Streams that go both ways, admitted and not yet ended.'],
  connections: ['cutlayer_connections', 'Open connections, those in a handshake included.'],
  waitingConnections: ['cutlayer_waiting_connections', 'Open connections that wait for their turn to begin.'],
  messageBytes: ['cutlayer_message_bytes', 'Memory held by requests and answers.'],
} as const satisfies GaugeTable<string>;
