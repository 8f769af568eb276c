/**
 * A service worker for web servers that can't send the two headers of cross-origin isolation: it adds them to every answer. The page
 * that registers it loads itself once more; without it there is one thread.
 */
interface Fetching extends Event {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}
interface Extending extends Event {
  waitUntil(done: Promise<unknown>): void;
}
interface Scope {
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
}

const scope = self as unknown as Scope;

addEventListener('install', () => void scope.skipWaiting());
addEventListener('activate', (event) => (event as Extending).waitUntil(scope.clients.claim()));
addEventListener('fetch', (event) => {
  const { request, respondWith } = event as Fetching;
  if (new URL(request.url).origin !== location.origin) return;
  respondWith.call(
    event,
    fetch(request).then((response) => {
      if (response.status === 0) return response;
      const headers = new Headers(response.headers);
      headers.set('cross-origin-opener-policy', 'same-origin');
      headers.set('cross-origin-embedder-policy', 'require-corp');
      const { status, statusText } = response;
      return new Response(response.body, { status, statusText, headers });
    }),
  );
});
