/**
 * Routes of the administrator's API as data: a row gives the route, its checks and its part of the
 * OpenAPI document.
 */
import type { z } from 'zod';
import type { ErrorCode } from '../../errors.js';
import type { Principal, Scope } from '../../server/auth/scopes.js';

/** What a route gets, checked. */
export interface ApiRequest<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** The caller. */
  readonly principal: Principal;
}

/** An answer as CSV, with headers of its own. */
export interface CsvAnswer {
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

/** One route. */
export interface RouteSpec<
  Params extends z.ZodObject | undefined,
  Query extends z.ZodObject | undefined,
  Body extends z.ZodType | undefined,
  Answer extends z.ZodType,
> {
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  /** Below the server, with the names of parameters in braces, as `/v1/admin/tenants/{name}`. */
  readonly path: `/v1/${string}`;
  /** Its name in programs: `listTenants`. */
  readonly operation: string;
  readonly summary: string;
  /** The scope of the token, one of these. */
  readonly scopes: readonly Scope[];
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  /** HTTP status of a success. */
  readonly status: 200 | 201;
  readonly answer: Answer;
  /** Errors of its own, beside those of every route. */
  readonly errors: readonly ErrorCode[];
  /** The answer as CSV, for callers that ask for it by `format=csv` or by `Accept`. */
  readonly csv?: (answer: z.input<Answer>) => CsvAnswer;
  readonly run: (request: ApiRequest<Parsed<Params>, Parsed<Query>, Parsed<Body>>) => Promise<z.input<Answer>>;
}

/** A route, as the router and the document see it. */
export type ApiRoute = Omit<
  RouteSpec<z.ZodObject | undefined, z.ZodObject | undefined, z.ZodType | undefined, z.ZodType>,
  'run' | 'csv'
> & {
  readonly csv?: (answer: unknown) => CsvAnswer;
  readonly run: (request: ApiRequest<unknown, unknown, unknown>) => Promise<unknown>;
};

/** States a route; its schemas' types reach its `run`. */
export function apiRoute<
  Answer extends z.ZodType,
  Params extends z.ZodObject | undefined = undefined,
  Query extends z.ZodObject | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>(spec: RouteSpec<Params, Query, Body, Answer>): ApiRoute {
  // The router parses with these very schemas before it calls `run`.
  return spec as unknown as ApiRoute;
}
