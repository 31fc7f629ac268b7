// Whatever was visited is there without a network too. The network is asked first, so that nothing old is shown
// while there is one.

const visited = caches.open("visited");

async function answer(request) {
  const kept = await visited;
  try {
    const response = await fetch(request);
    if (response.ok) await kept.put(request, response.clone());
    return response;
  } catch (error) {
    const last = await kept.match(request, { ignoreSearch: true });
    if (!last) throw error;
    return last;
  }
}

addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(registration.scope)) event.respondWith(answer(event.request));
});

// The page that brought this here was loaded before it: it is asked for once more, with its scripts and styles.
addEventListener("install", (event) => event.waitUntil(skipWaiting()));
addEventListener("activate", (event) => event.waitUntil((async () => {
  await clients.claim();
  for (const { url } of await clients.matchAll()) {
    const page = await (await answer(new Request(url))).text();
    const parts = page.matchAll(/<(?:script|link)\b[^>]*?\b(?:src|href)="([^"]+\.(?:js|css|svg)[^"]*)"/g);
    await Promise.all([...parts].map(([, part]) => answer(new Request(new URL(part, url)))));
  }
})()));
