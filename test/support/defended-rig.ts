/** Models of one bundle and gateway with different defences, and the rows that each has sent. */

import { connect } from '../../clients/typescript/connection/connect.js';
import { Defences } from '../../clients/typescript/defences/defences.js';
import { NoiseSecret } from '../../clients/typescript/defences/noise-secret.js';
import { rowNoise } from '../../clients/typescript/defences/row-noise.js';
import { ClientBundle } from '../../clients/typescript/model/client-bundle.js';
import { type ForwardInput, RemoteModel } from '../../clients/typescript/model/remote-model.js';
import { rowDeviation } from '../../clients/typescript/model/row-deviation.js';
import { SplitModel } from '../../clients/typescript/model/split-model.js';
import { packedFixture } from './packed-fixture.js';
import { startTestGateway } from './test-gateway.js';

/** A backbone that keeps what it was sent. */
class Recording extends RemoteModel {
  readonly sent: ForwardInput[] = [];

  override forward(input: ForwardInput) {
    this.sent.push(input);
    return super.forward(input);
  }
}

export interface DefendedRig {
  readonly bundle: ClientBundle;
  readonly deviation: number;
  /** A model, and what it has sent so far. */
  model(defences?: Defences, shareText?: boolean): Promise<{ readonly model: SplitModel; readonly sent: ForwardInput[] }>;
  close(): Promise<void>;
}

export async function defendedRig(fixture: string, cut: { readonly bottom: number; readonly top: number }): Promise<DefendedRig> {
  const packed = await packedFixture(fixture, cut);
  const gateway = await startTestGateway({ backboneDir: packed.backboneDir });
  const bundle = await ClientBundle.open(packed.bundleDir, { threads: 1 });
  const closing: (() => void)[] = [];
  return {
    bundle,
    deviation: await rowDeviation(bundle),
    async model(defences, shareText = true) {
      const { ca } = gateway;
      const connection = await connect({ address: gateway.gateway.listen, ca: ca.toString(), token: await gateway.token(), shareText });
      closing.push(() => connection.close());
      const remote = new Recording(connection);
      return { model: new SplitModel(bundle, remote, undefined, defences), sent: remote.sent };
    },
    async close() {
      for (const close of closing) close();
      await bundle.close();
      await gateway.close();
    },
  };
}

/** Row noise under a secret of the test. */
export function noisy({ deviation }: DefendedRig, scale = 1): Defences {
  return new Defences([rowNoise({ scale, deviation, secret: NoiseSecret.parse('5'.repeat(64), 'test') })]);
}
