// How each page begins: mounted, and kept by the service worker so that it opens without a network.
import { type Component, mount } from 'svelte';

/** Shows `page`, and keeps its files on the device once it is shown. */
export function start(page: Component): void {
  const target = document.getElementById('page');
  if (!target) throw new Error('the document has no place for the page');
  target.replaceChildren();
  mount(page, { target });
  performance.mark('interactive');
  if ('serviceWorker' in navigator) void keep();
}

async function keep(): Promise<void> {
  try {
    await navigator.serviceWorker.register('/sw.js');
    const { active } = await navigator.serviceWorker.ready;
    active?.postMessage({ keep: location.pathname });
  } catch {
    // Without it the page works while there is a network; private windows of some browsers have none.
  }
}
