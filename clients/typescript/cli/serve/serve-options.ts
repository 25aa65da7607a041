/** Options of `cutlayer client serve`. */
import { hostNames } from '../../../../src/options/address.js';
import {
  integerBetween,
  optional,
  path,
  positiveInteger,
  positiveNumber,
  text,
  texts,
  toggle,
  under,
  type ValuesOf,
  withDefault,
} from '../../../../src/options/option.js';
import { byteSize, seconds } from '../../../../src/options/quantities.js';
import { connectionOptions } from '../connection-options.js';
import { defenceOptions } from '../defence-options.js';
import { draftModel } from '../generate/generation-options.js';

export const serveOptions = {
  ...connectionOptions,
  ...under('Model and gateway', {
    retryFor: withDefault(positiveNumber('seconds', 'how long a request waits for a gateway that has gone away'), 5),
  }),
  ...under('Models', {
    adapter: optional(texts('name=dir', "serve a saved adapter, or a run's directory, under a name; may be repeated", 64)),
    adapters: optional(path('dir', 'serve each directory in it under its name; looked at with each request')),
    draftModel,
    baseName: optional(text('name', "the bare model's name (default: the vendor's)", 128)),
    maxNewTokens: withDefault(positiveInteger('n', 'longest answer where a request does not say'), 1024),
  }),
  ...under('Address and access', {
    host: withDefault(text('address', 'address to listen on'), '127.0.0.1'),
    port: withDefault(integerBetween(0, 65535, 'n', 'port to listen on; 0 picks a free one'), 8788),
    key: toggle(true, 'let requests in without an API key'),
    keyFile: optional(path('file', "the API key's file; made when missing (default: api-key in the directory of profiles)")),
    allowHost: withDefault(hostNames('names that the Host header may have, beside addresses and localhost; comma-separated'), []),
    allowOrigin: optional(texts('origin', 'web pages that may use the endpoint, such as http://localhost:3000; may be repeated', 64)),
  }),
  ...under('Feedback', {
    feedback: optional(path('dir', 'the directory of client improve that POST /v1/feedback is for (default: feedback is refused)')),
    encryptKeyFile: optional(path('file', 'the key under which that directory stores examples')),
    passphraseFile: optional(path('file', 'its passphrase (or in the environment variable CUTLAYER_PASSPHRASE)')),
  }),
  ...under('Bounds', {
    maxRunning: withDefault(integerBetween(1, 64, 'n', 'requests that run at once'), 4),
    maxWaiting: withDefault(integerBetween(0, 1024, 'n', 'requests that wait; more are answered 429'), 32),
    maxBody: withDefault(byteSize('longest request'), '4MiB'),
    grace: withDefault(seconds(3600, 'time for requests under way at shutdown'), 30),
  }),
  ...under('Output', {
    json: toggle(false, 'print one JSON line when ready'),
  }),
  ...defenceOptions,
};

export type ServeFlags = ValuesOf<typeof serveOptions>;
