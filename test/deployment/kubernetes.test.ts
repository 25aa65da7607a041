/** docs/kubernetes: what the manifests must have, and that their parts fit each other. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { packageRoot } from '../../src/files/package-root.js';
import { gatewayOptions } from '../../src/gateway/config.js';
import { parseOptions } from '../../src/options/parse-options.js';

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string; readonly scheme: string };
  readonly tcpSocket?: { readonly port: string };
}

interface Container {
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly readinessProbe: Probe;
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly resources: { readonly requests: object; readonly limits: { readonly memory: string } };
  readonly securityContext: object;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  // biome-ignore lint/suspicious/noExplicitAny: each kind has a form of its own, which the schemas check
  readonly spec?: any;
  readonly stringData?: Readonly<Record<string, string>>;
}

const dir = join(packageRoot(), 'docs', 'kubernetes');
const manifests = readdirSync(dir).flatMap((name) =>
  parseAllDocuments(readFileSync(join(dir, name), 'utf8'), { version: '1.1' }).map((document) => {
    assert.deepEqual(document.errors, [], name);
    return document.toJS() as Manifest;
  }),
);
const only = (kind: string): Manifest => {
  const found = manifests.filter((manifest) => manifest.kind === kind);
  assert.equal(found.length, 1, kind);
  return found[0]!;
};
const set = only('StatefulSet');
const pod = set.spec.template.spec;
const container = pod.containers[0] as Container;

/** Classes of the kinds with their schemas, in a package that `.ci/deployment` brings. */
const modelsFile = process.env.CUTLAYER_TEST_KUBERNETES_MODELS || undefined;

describe('docs/kubernetes', () => {
  it('has two replicas, of which a disruption leaves one, and services for clients and for each replica', () => {
    assert.equal(set.spec.replicas, 2);
    assert.equal(only('PodDisruptionBudget').spec.minAvailable, 1);
    const services = manifests.filter(({ kind }) => kind === 'Service');
    assert.deepEqual(
      services.map(({ metadata, spec }) => [metadata.name, spec.clusterIP]),
      [
        ['cutlayer-gateway', undefined],
        [set.spec.serviceName, 'None'],
      ],
    );
    const names = container.ports.map(({ name }) => name);
    for (const { spec } of services) for (const { targetPort } of spec.ports) assert.ok(names.includes(targetPort), targetPort);
    const { scaleTargetRef, minReplicas } = only('HorizontalPodAutoscaler').spec;
    assert.deepEqual([scaleTargetRef.kind, scaleTargetRef.name, minReplicas], [set.kind, set.metadata.name, 2]);
  });

  it('selects its pods by their labels, in one namespace', () => {
    const { labels } = set.spec.template.metadata;
    const selectors = [
      set.spec.selector.matchLabels,
      only('PodDisruptionBudget').spec.selector.matchLabels,
      only('NetworkPolicy').spec.podSelector.matchLabels,
      ...manifests.filter(({ kind }) => kind === 'Service').map(({ spec }) => spec.selector),
    ];
    for (const selector of selectors) assert.deepEqual(selector, labels);
    for (const { kind, metadata } of manifests)
      if (kind !== 'Namespace') assert.equal(metadata.namespace, only('Namespace').metadata.name, kind);
  });

  it('runs as a user without rights on a read-only root', () => {
    assert.deepEqual([pod.securityContext.runAsNonRoot, pod.securityContext.runAsUser, pod.securityContext.fsGroup], [true, 10001, 10001]);
    assert.deepEqual(pod.securityContext.seccompProfile, { type: 'RuntimeDefault' });
    assert.equal(pod.automountServiceAccountToken, false);
    assert.deepEqual(container.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    assert.ok(container.resources.limits.memory);
  });

  it('gets no connections while it drains, is not killed for it, and has the time for its calls', () => {
    const health = { httpGet: { path: '/healthz', port: 'admin', scheme: 'HTTPS' } };
    for (const probe of [container.readinessProbe, container.startupProbe]) assert.deepEqual(probe.httpGet, health.httpGet);
    assert.deepEqual(container.livenessProbe.tcpSocket, { port: 'admin' });
    const pause = Number(container.lifecycle.preStop.exec.command[1]);
    assert.ok(pod.terminationGracePeriodSeconds * 1000 > pause * 1000 + options().grace);
  });

  it('has a command that the gateway takes, with files that are mounted', () => {
    const { listen, admin, keyRotation, ...config } = options();
    assert.deepEqual(
      [listen.port, admin.port],
      container.ports.map(({ containerPort }) => containerPort),
    );
    assert.equal(keyRotation, 0, 'keys are read-only');
    const named = (config.database ?? '').match(/(?<==)\/[^&]+/g) ?? [];
    assert.equal(named.length, 2);
    for (const path of [config.backbone, config.stateDir, config.keysDir!, config.tlsCert!, config.tlsKey!, ...named])
      assert.ok(
        container.volumeMounts.some(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`)),
        path,
      );
    const volumes = [...pod.volumes, ...set.spec.volumeClaimTemplates.map(({ metadata }: Manifest) => metadata)].map(({ name }) => name);
    assert.deepEqual(container.volumeMounts.map(({ name }) => name).sort(), volumes.sort());
    for (const { name, readOnly } of container.volumeMounts) assert.equal(readOnly ?? false, !['state', 'tmp'].includes(name), name);
  });

  it('has its secrets as files, and examples of them without values', () => {
    const secrets = manifests.filter(({ kind }) => kind === 'Secret');
    const mounted = pod.volumes.flatMap(({ secret }: { secret?: { secretName: string } }) => secret?.secretName ?? []);
    assert.deepEqual(
      secrets.map(({ metadata }) => metadata.name),
      mounted,
    );
    for (const { stringData = {} } of secrets) for (const value of Object.values(stringData)) assert.equal(value, '');
    assert.equal(JSON.stringify(container).includes('"env"'), false);
    const keys = secrets.flatMap(({ stringData = {} }) => Object.keys(stringData));
    for (const key of ['signing-keys.json', 'identity.json', 'tls.crt', 'tls.key', 'password', 'ca.pem'])
      assert.ok(keys.includes(key), key);
  });

  if (modelsFile !== undefined)
    it("fits Kubernetes' schemas", () => {
      const models = createRequire(import.meta.url)(modelsFile) as Models;
      for (const manifest of manifests) {
        const problem = problemOf(models, manifest);
        assert.equal(problem, undefined, `${manifest.kind}: ${problem}`);
      }
      const wrong = structuredClone(set) as { spec: { replicas: unknown } } & Manifest;
      wrong.spec.replicas = 'two';
      assert.notEqual(problemOf(models, wrong), undefined, 'a wrong value is found');
    });
});

type Kinds = Readonly<Record<string, new (data: unknown) => { validate(): void }>>;
type Models = Readonly<Record<string, Kinds | Readonly<Record<string, Kinds>>>>;

/** What a schema says against a manifest; undefined: nothing. */
function problemOf(models: Models, manifest: Manifest): string | undefined {
  const [version, group] = manifest.apiVersion.split('/').reverse() as [string, string | undefined];
  const room = group?.replace(/\.(.)/g, (_, c: string) => c.toUpperCase());
  // The core group has no name; the others hold their versions.
  const kinds = (room === undefined ? models[version] : models[room]?.[version]) as Kinds | undefined;
  const Model = kinds?.[manifest.kind];
  assert.ok(Model, `${manifest.apiVersion} ${manifest.kind} is known`);
  try {
    new Model(manifest).validate();
    return undefined;
  } catch (caught) {
    return String(caught);
  }
}

/** The options of its command. */
function options() {
  const given = container.args.slice(2).map((flag) => /^--([a-z-]+)=(.*)$/.exec(flag)!.slice(1) as [string, string]);
  return parseOptions(
    gatewayOptions,
    Object.fromEntries(given.map(([flag, value]) => [flag.replace(/-(.)/g, (_, c: string) => c.toUpperCase()), value])),
  );
}
