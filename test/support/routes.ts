/** The routes of an express app, as `GET /v1/usage`. */
import type { Express, Router } from 'express';

/** Lists them, those of mounted routers included. */
export function routesOf(app: Express, routers: Readonly<Record<string, Router>>): string[] {
  return [...own(app.router, ''), ...Object.entries(routers).flatMap(([path, router]) => own(router, path))].sort();
}

function own(router: Router, mount: string): string[] {
  return router.stack.flatMap(({ route }) => {
    if (route === undefined) return [];
    const path = `${mount}${route.path}`.replace(/^\/\//, '/').replace(/(.)\/$/, '$1');
    return route.stack.map(({ method }) => `${String(method).toUpperCase()} ${path.replace(/:(\w+)/g, '{$1}')}`).filter(unique);
  });
}

const unique = (one: string, at: number, all: readonly string[]): boolean => all.indexOf(one) === at;
