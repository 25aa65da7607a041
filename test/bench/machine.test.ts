import assert from 'node:assert/strict';
import { machineText, processorOf, thisMachine } from '../../bench/machine.js';

const xeon = `processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t\t: fpu sse2 avx f16c avx2 fma avx512f avx512bw avx512_vnni avx512_bf16 amx_bf16 amx_tile amx_int8
bugs\t\t: none

processor\t: 1
model name\t: another
flags\t\t: fpu
`;

describe('the machine of a benchmark', () => {
  it('has the name of its processor, and the vector instructions that kernels choose by', () => {
    assert.deepEqual(processorOf(xeon), {
      processor: 'Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz (family 6, model 143)',
      vectorFlags: [
        ...['avx', 'avx2', 'fma', 'f16c', 'avx512f', 'avx512bw', 'avx512_vnni', 'avx512_bf16'],
        ...['amx_tile', 'amx_int8', 'amx_bf16'],
      ],
    });
    const zen3 = 'cpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\nflags\t\t: avx avx2 fma\n';
    assert.deepEqual(processorOf(zen3), { processor: 'AMD EPYC (family 25, model 1)', vectorFlags: ['avx', 'avx2', 'fma'] });
    assert.deepEqual(processorOf('Features\t: fp asimd sve\n'), { processor: 'unknown processor', vectorFlags: ['asimd', 'sve'] });
  });

  it('is told in one line, with its load', () => {
    const machine = { ...thisMachine(), ...processorOf(xeon), cores: 2, node: '20.20.0', onnxRuntime: '1.30.0', load: 0.254 };
    assert.equal(
      machineText(machine),
      'Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz (family 6, model 143), 2 cores, avx avx2 fma f16c avx512f avx512bw avx512_vnni ' +
        'avx512_bf16 amx_tile amx_int8 amx_bf16; Node 20.20.0, ONNX Runtime 1.30.0; load 0.25',
    );
    assert.match(machineText({ ...machine, load: 1 }), /load 1\.00$/);
    assert.match(machineText({ ...machine, load: 1.2 }), /load 1\.20 \(busy\)$/);
  });
});
