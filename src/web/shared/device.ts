// Small choices that the browser keeps; where it keeps nothing for us they hold for the visit.

/** What was kept under a name. */
export function recall(name: string): string | undefined {
  try {
    return localStorage.getItem(`thexanh.${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Keeps `value` for later visits. */
export function keep(name: string, value: string): void {
  try {
    localStorage.setItem(`thexanh.${name}`, value);
  } catch {
    // It holds for this visit.
  }
}

/** Keeps it no longer. */
export function forget(name: string): void {
  try {
    localStorage.removeItem(`thexanh.${name}`);
  } catch {
    // Nothing was kept.
  }
}
