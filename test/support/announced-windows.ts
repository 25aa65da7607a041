/** Looks at the flow-control windows that an HTTP/2 server announces. */
import http2 from 'node:http2';

/** What a server tells a fresh HTTP/2 client: the window of each stream and of the connection. */
export async function announcedWindows(
  url: string,
  options: http2.SecureClientSessionOptions = {},
): Promise<{ readonly stream: number; readonly connection: number }> {
  const session = http2.connect(url, options);
  try {
    const stream = await new Promise<number>((resolve, reject) => {
      session.once('remoteSettings', (settings) => resolve(settings.initialWindowSize ?? 0));
      session.once('error', reject);
    });
    // A ping answered after the settings tells that the window update, sent before its answer, has
    // arrived.
    await new Promise<void>((resolve) => session.ping(() => resolve()));
    return { stream, connection: session.state.remoteWindowSize ?? 0 };
  } finally {
    session.destroy();
  }
}
