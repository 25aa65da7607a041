/** A proxy before a PostgreSQL server that cuts a connection at its COMMIT, as a failing link does. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Whether the COMMIT that is cut off reaches the server. */
export type Cut = 'before the server has it' | 'before the client has the answer';

/** See the module's header. */
export class CutProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** The next COMMIT is cut off; none while undefined. */
  cut: Cut | undefined;

  private constructor(host: string, port: number) {
    this.#server = createServer((client) => {
      const server = connect({ host, port });
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
      }
      let silent = false;
      client.on('data', (data) => {
        const cut = data.includes('COMMIT') ? this.cut : undefined;
        if (cut === undefined) return void server.write(data);
        this.cut = undefined;
        silent = true;
        if (cut === 'before the server has it') server.destroy();
        else server.end(data);
        client.destroy();
      });
      server.on('data', (data) => {
        if (!silent) client.write(data);
      });
      client.on('close', () => server.end());
      server.on('close', () => client.destroy());
    });
  }

  /** Starts one before the server of a URL. */
  static async start(url: URL): Promise<CutProxy> {
    const proxy = new CutProxy(url.hostname, Number(url.port || 5432));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { readonly port: number }).port; // it listens on TCP
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
