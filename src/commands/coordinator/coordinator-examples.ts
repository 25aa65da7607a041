/** Examples in the help of `cutlayer coordinator`. */

/** By command. */
export const coordinatorExamples = {
  coordinator: `
From nothing to a running federation:
  Each member makes an identity, and gives its public key to the founder:
    $ cutlayer client identity > north.pub

  The coordinator starts; the founder creates the federation and invites its members:
    $ cutlayer coordinator serve
    $ cutlayer coordinator create --name "ward notes" --bundle ./client-bundle \\
        --member north=north.pub --member south=south.pub --member west=west.pub
    $ cutlayer coordinator invite north south west --address consortium.example:443
    $ cutlayer coordinator start

  Each member takes part, with its invite and a profile of the vendor's gateway:
    $ cutlayer client federate --invite north.invite --data train.jsonl --held-out valid.jsonl

Every command has --help with examples.`,

  serve: `
Examples:
  On this machine, with a development certificate:
    $ cutlayer coordinator serve

  For others, with a real certificate:
    $ cutlayer coordinator serve --listen 0.0.0.0:443 --tls-cert fullchain.pem --tls-key privkey.pem

  Trust the tokens of an identity provider instead of one's own (tenant: the member's name; scope: federate or admin):
    $ cutlayer coordinator serve \\
        --issuer https://id.example --audience federation --jwks-url https://id.example/.well-known/jwks.json

Participants need the address, a token (cutlayer coordinator token) and, with a development certificate, the file ca.pem of the state directory.
Every step of a round is on disk before it is told: after a crash the same command goes on. SIGTERM and SIGINT finish what is in flight and exit.`,

  backup: `
The file has the tables as they were at one moment, and keys and certificates of the state directory. It has mode 0600; no file is replaced.
The coordinator may run. The audit log is not in it: copy the directory audit/ too. Nor is coordinator.db.latest, which says how far federations have come.
A federation that has gone on since can not go back to a backup: see restore.

Examples:
  $ cutlayer coordinator backup coordinator-2026-01-31.backup
  $ cutlayer coordinator backup coordinator.backup --database 'postgres://cutlayer@db.example/cutlayer'`,

  restore: `
The file is verified first. No coordinator may run on the database. A backup of either engine can be restored into the other.
A federation goes on where nothing has happened in it since the backup, also in the middle of a round. Where it has gone on, the backup is too old:
coordinator.db.latest or --latest-file tells, and restore and serve refuse it as STORE_TOO_OLD. --force does not change those files.
Where neither file is left, members that have seen more answer nothing. To move a coordinator, stop it before its backup, and never run both copies.

Examples:
  Move to another machine:
    $ cutlayer coordinator backup coordinator.backup
    $ cutlayer coordinator restore coordinator.backup

  Move from the file to PostgreSQL:
    $ cutlayer coordinator backup coordinator.backup
    $ cutlayer coordinator restore coordinator.backup --force --database 'postgres://cutlayer@db.example/cutlayer'`,

  create: `
Examples:
  Three members, secure aggregation, a soft prompt of 16 tokens (the defaults):
    $ cutlayer coordinator create --name "ward notes" --bundle ./client-bundle \\
        --member north=north.pub --member south=south.pub --member west=9f86d081…

  Ten rounds of LoRA with FedAdam, from the command line:
    $ cutlayer coordinator create --name "branch mail" --bundle ./client-bundle --method lora --rounds 10 \\
        --set strategy.kind=fedadam --set training.steps=50 --member a=a.pub --member b=b.pub --member c=c.pub

  From a file; single settings replace the file's:
    $ cutlayer coordinator create --config federation.yaml --bundle ./client-bundle --set cohort.min=5 …

  Every setting with its value, to begin a file with:
    $ cutlayer coordinator create --name "ward notes" --print-config > federation.yaml

  A file need not say more than what differs from the defaults:
    name: ward notes
    adapter: { method: prompt-tuning, settings: { virtual-tokens: 20 } }
    rounds: { count: 50, trainSeconds: 1800, trigger: { kind: newExamples, count: 100, members: 2 } }
    training: { epochs: 1, batchSize: 16 }
    secureAggregation: { bits: 32, bound: 8 }
    privacy: null
    evaluation: { metric: accuracy, maxForgetting: 0.02 }

The id is printed bare. It is the sha256 of the signed manifest: who pins it pins every setting, the roster and the coordinator's key, so give it to
members by a way of your own. The manifest is signed with founder-key.hex of the state directory, made at first use.`,

  status: `
Examples:
  $ cutlayer coordinator status
  $ cutlayer coordinator status --federation "ward notes" --watch
  $ cutlayer coordinator status --coordinator fed.example:443 --token-file admin.token --json | jq .state

  A coordinator with --client-ca; every command takes these two:
    $ cutlayer coordinator status --client-cert alice.pem --client-key alice-key.pem

Losses and accuracies are means over the members of an evaluate round; of a member's own nothing is known here.`,

  start: `
Examples:
  $ cutlayer coordinator start
  $ cutlayer coordinator start --federation 3f2a9c01`,

  stop: `
Examples:
  Pause; start goes on with a new round:
    $ cutlayer coordinator stop

  End it for good; its versions stay for export:
    $ cutlayer coordinator stop --final`,

  invite: `
Examples:
  Files north.invite and south.invite, with tokens for 30 days:
    $ cutlayer coordinator invite north south --address consortium.example:443

  With the vendor's gateway, for members that have no profile of it yet:
    $ cutlayer coordinator invite north --address consortium.example:443 \\
        --gateway vendor.example:443 --gateway-ca vendor-ca.pem --bundle-url https://vendor.example/bundle.tar.gz

  Where an identity provider issues the tokens:
    $ cutlayer coordinator invite north --coordinator consortium.example:443 --token-file admin.token \\
        --token-from "log in at https://id.example, tenant north, scope federate"

The file pins the federation's id: send it by another way than the coordinator. Its token works only together with the member's identity.
A member still needs a token of the vendor, from cutlayer client login.`,

  skip: `
Examples:
  $ cutlayer coordinator status
  $ cutlayer coordinator skip south

The order is for one stage of one round. It is refused where the round would have fewer members than its cohort, threshold or survivors need.
A member that is skipped takes part in the next round again.`,

  rollback: `
Examples:
  $ cutlayer coordinator status
  $ cutlayer coordinator rollback --version 4

Members are told by the signed chain, and the next round trains from that version.`,

  export: `
Examples:
  The promoted version, with the adapter as PEFT reads it:
    $ cutlayer coordinator export --bundle ./client-bundle --out ./ward-notes

  Version 3 with its proof alone:
    $ cutlayer coordinator export --version 3 --out ./version-3

Writes parameters.safetensors, manifest.json with manifest.sig, and chain.jsonl: every broadcast from the first on, each signed by the coordinator
and bound to the one before. All of it is checked before it is written.`,

  token: `
Examples:
  A token for one member, for 30 days, kept in a file that only its owner may read:
    $ (umask 077; cutlayer coordinator token --member north > north.token)

  One for a founder on another machine:
    $ (umask 077; cutlayer coordinator token --admin alice --ttl 24h > admin.token)

  At a coordinator with --client-ca, tokens that are void without a certificate:
    $ cutlayer gateway cert alice --out alice --state-dir ~/.cutlayer/coordinator
    $ (umask 077; cutlayer coordinator token --admin alice --client-cert alice.pem > admin.token)

The token is printed bare. It is a secret, though a member's works only together with the member's identity. On the coordinator's own machine the other commands need none.`,
} as const;
