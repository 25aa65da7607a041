/** `cutlayer client federate` */
import { command } from '../../../../src/options/command-spec.js';
import { federateOptions } from './federate-options.js';

export const federateCommand = command({
  options: federateOptions,
  configFile: true,
  help: `
How it goes: the coordinator opens a round, this member trains on its own data from the version that all have, and sends its update masked, so that the
coordinator learns the sum of all updates and no single one. Method, batch size, learning rate and privacy are the federation's, in the manifest whose id you
pass. The command runs until the federation is finished, and waits for a gateway or coordinator that is away. Stop it with ctrl-C and start it again with the
same flags whenever you like: it goes on where it was, and never says two things about one round.

The vendor whose gateway you train through sees the activations and cotangents of your training, as in cutlayer client train.
Defences are this member's own: each has its sentence when the command begins, with the guarantee of --token-noise and --label-noise, and the adapter's
files name them. Their secret is in --state-dir: keep it there, for under another one each record is released once more.

Examples:
  Once: make an identity, and give the printed public key to the founder of the federation:
    $ cutlayer client identity

  Then, with the file that the founder gives back, and the profile of cutlayer client login:
    $ cutlayer client federate --invite north.invite --data train.jsonl --held-out valid.jsonl

  Without a file and a profile:
    $ cutlayer client federate --federation 5b1c… --coordinator consortium.example:443 --coordinator-token-file coordinator-token \\
        --identity identity.key --state-dir federation --bundle model/client-bundle --gateway vendor.example:443 --token-file token \\
        --data train.jsonl --held-out valid.jsonl

  With data that grows: every *.jsonl file of a directory, and a local port for programs; a tenth of it is held out to measure with:
    $ cutlayer client federate … --data examples/ --examples-port 8091 --train-on new

  With noise on your labels and tokens; both guarantees are printed first:
    $ cutlayer client federate … --data train.jsonl --label-noise 4 --token-noise 1 --token-delta 1e-6

  The same from a file, for one round:
    $ cutlayer client federate --config federation.yaml --once

  See which versions there were, and what each gained and forgot:
    $ cutlayer client versions --state-dir federation

  Use what was trained together:
    $ cutlayer client generate --adapter federation/adapter --prompt "..." --bundle … --gateway …

In --state-dir: adapter/ (the promoted version, PEFT's format), versions/ (the newest five), member.db (what this member has agreed to, was told, has said
and has spent, and which examples came when, by keyed hash), log.jsonl; with a --data directory rejected.jsonl (lines that are no examples).`,
  run: async (flags) => (await import('./run-federate.js')).runFederate(flags),
});
