/** The options of every command that shows a client certificate, or binds a token to one. */
import { optional, path } from './option.js';

/** @param server which it calls, as `gateway` */
export const clientCertificateOptions = (server: string) => ({
  clientCert: optional(
    path('file', `client certificate, PEM, for a ${server} that takes tokens only with the certificate that they are bound to`),
  ),
  clientKey: optional(path('file', 'its private key, PEM')),
});

/** Of the commands that issue a token. */
export const boundToOption = optional(path('file', 'client certificate, PEM, without which the token is void'));
