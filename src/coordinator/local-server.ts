/** The file that tells commands of the same machine how to reach a coordinator. */
import { z } from 'zod';
import { LocalServerFile } from '../server/local-server.js';

const schema = z.object({
  /** `host:port`, as this machine reaches it. */
  address: z.string().min(1),
  /** Authority of its certificate; null with an own certificate, or without TLS. */
  caFile: z.string().nullable(),
  insecure: z.boolean(),
  pid: z.int(),
});

/** The file of a coordinator. */
export const localCoordinator = new LocalServerFile({ file: 'server.json', command: 'coordinator serve', schema });
