// Small things that the browser keeps by name; where it keeps nothing for us they hold for the visit.

/** What was kept under a name. */
export function recall(name: string): string | undefined {
  try {
    return localStorage.getItem(`thexanh.${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Keeps `value` for later visits. Returns whether there was room; if not it holds for this visit. */
export function keep(name: string, value: string): boolean {
  try {
    localStorage.setItem(`thexanh.${name}`, value);
    return true;
  } catch {
    return false;
  }
}

/** Forgets what was kept under a name. */
export function forget(name: string): void {
  try {
    localStorage.removeItem(`thexanh.${name}`);
  } catch {
    // Nothing was kept.
  }
}
