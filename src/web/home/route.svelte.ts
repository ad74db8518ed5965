// Which part of the page is shown: written in the address after `#/`, so that the device's Back goes back within the page.

/** The parts of an address; nothing for one that is no part of the page, such as the link to the main content. */
function parts(hash: string): string[] | undefined {
  if (hash !== '' && !hash.startsWith('#/')) return undefined;
  try {
    return hash.slice(2).split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    return [];
  }
}

let current = $state.raw(parts(location.hash) ?? []);

addEventListener('hashchange', () => {
  const next = parts(location.hash);
  if (next) current = next;
});

/** Where one is: `['person', '<id>', 'reaction']`; empty at the start. */
export const route = {
  get now(): string[] {
    return current;
  },
};

/** The address of a part of the page. */
export function to(...parts: string[]): string {
  return `#/${parts.map(encodeURIComponent).join('/')}`;
}

/** Goes there. */
export function go(...parts: string[]): void {
  location.hash = to(...parts);
}
