import assert from 'node:assert/strict';
import { keepMoments, OPTIMIZER_FILE, TRAINING_FILE } from '../../../clients/typescript/federation/local-training.js';
import { MemberStore } from '../../../clients/typescript/federation/member-store.js';
import { encodeTensors } from '../../../src/safetensors/tensors-file.js';

describe("the optimizer's moments of a member", () => {
  it('are lost with a broken file of training, and the member goes on', async () => {
    const state = MemberStore.memory();
    const whole = encodeTensors({}, { round: '3', version: '0', data: 'x', step: '2', stepsBefore: '0', finished: 'true' });
    for (const broken of [whole.subarray(0, 10), new Uint8Array(0), encodeTensors({}, { round: 'three' })]) {
      await state.write(TRAINING_FILE, broken);
      await keepMoments(state, 3);
      assert.equal(await state.read(OPTIMIZER_FILE), undefined);
    }
    await state.write(TRAINING_FILE, whole);
    await keepMoments(state, 2);
    assert.equal(await state.read(OPTIMIZER_FILE), undefined);
    await keepMoments(state, 3);
    assert.deepEqual(await state.read(OPTIMIZER_FILE), whole);
  });
});
