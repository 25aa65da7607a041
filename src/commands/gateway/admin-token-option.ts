/** The option with which a command gets into the admin port of a running gateway. */
import { optional, path } from '../../options/option.js';

export const adminTokenOption = {
  ...optional(
    path(
      'file',
      "token of the scope admin, or a client's credentials, for the running gateway (default: a token of the state directory's keys)",
    ),
  ),
  group: 'Options',
};
