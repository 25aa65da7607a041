/** The OpenAPI 3.1 document of the administrator's API, made from its routes. */
import { z } from 'zod';
import { type ErrorCode, errorTable } from '../../errors.js';
import type { ApiRoute } from './route.js';

/** Errors of every route with a token. */
export const commonErrors: readonly ErrorCode[] = [
  'INVALID_ARGUMENT',
  'TOKEN_MISSING',
  'TOKEN_INVALID',
  'TOKEN_EXPIRED',
  'SCOPE_MISSING',
  'TENANT_SUSPENDED',
  'TENANT_DELETED',
  'ORIGIN_REFUSED',
  'RATE_LIMITED',
  'INTERNAL',
];

const errorSchema = z.strictObject({
  error: z.strictObject({
    code: z.enum(Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  }),
});

/** A schema as JSON Schema 2020-12, the dialect of OpenAPI 3.1. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Readonly<Record<string, unknown>> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io });
  return rest;
}

/** The document. @param others paths that are no rows */
export function openApiDocument(
  routes: readonly ApiRoute[],
  others: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {},
): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = { ...others };
  for (const route of routes) paths[route.path] = { ...paths[route.path], [route.method]: operation(route) };
  return {
    openapi: '3.1.0',
    info: { title: 'Cutlayer gateway, administration', version: '1' },
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        client: { type: 'http', scheme: 'basic' },
      },
      schemas: { Error: jsonSchema(errorSchema, 'output') },
    },
  };
}

function operation(route: ApiRoute): Readonly<Record<string, unknown>> {
  const { operation: operationId, summary, scopes, params, query, body, status, answer, errors, csv } = route;
  const own = body === undefined ? errors : [...errors, 'MESSAGE_TOO_LARGE' as const];
  return {
    operationId,
    summary,
    security: [{ token: [...scopes] }],
    parameters: [...parametersOf(params, 'path'), ...parametersOf(query, 'query')],
    ...(body !== undefined && { requestBody: { required: true, content: { 'application/json': { schema: jsonSchema(body, 'input') } } } }),
    responses: {
      [status]: {
        description: summary,
        content: {
          'application/json': { schema: jsonSchema(answer, 'output') },
          ...(csv !== undefined && { 'text/csv': { schema: { type: 'string' } } }),
        },
      },
      ...failureResponses([...commonErrors, ...own]),
    },
  };
}

/** The responses of errors, by their HTTP status. */
export function failureResponses(codes: readonly ErrorCode[]): Readonly<Record<string, unknown>> {
  const failures = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { http } = errorTable[code];
    failures.set(http, [...(failures.get(http) ?? []), code]);
  }
  return Object.fromEntries(
    [...failures].map(([http, found]) => [
      http,
      { description: found.join(', '), content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } },
    ]),
  );
}

function parametersOf(schema: z.ZodObject | undefined, where: 'path' | 'query'): readonly unknown[] {
  if (schema === undefined) return [];
  return Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, of]) => ({
    name,
    in: where,
    required: where === 'path',
    ...(of.description !== undefined && { description: of.description }),
    schema: jsonSchema(of, 'input'),
  }));
}
