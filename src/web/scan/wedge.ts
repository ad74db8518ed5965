// Handheld scanners that are keyboards: text that ends in Enter, typed anywhere on the page; and text that is pasted.

/** No scanner pauses so long within a code, in milliseconds. */
const PAUSE_MS = 400;
/** The shortest text that is taken for a code: whoever presses a key or two meant something else. */
const SHORTEST = 8;
/** More than any certificate; what comes after it is dropped. */
const LONGEST = 5_000;

/** Calls `scanned` with each text. Returns what stops it. */
export function listen(scanned: (text: string) => void): () => void {
  let text = '';
  let at = 0;
  const key = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.timeStamp - at > PAUSE_MS) text = '';
    at = event.timeStamp;
    if (event.key === 'Enter') {
      if (text.length >= SHORTEST) {
        event.preventDefault();
        scanned(text);
      }
      text = '';
    } else if (event.key.length === 1) {
      if (text.length < LONGEST) text += event.key;
      // A space within a code must not press the button that has the focus.
      if (text.length > 1) event.preventDefault();
    }
  };
  const release = (event: KeyboardEvent) => {
    if (event.key === ' ' && text.length > 1) event.preventDefault();
  };
  const paste = (event: ClipboardEvent) => {
    const pasted = event.clipboardData?.getData('text') ?? '';
    if (pasted.trim() !== '') scanned(pasted.slice(0, LONGEST));
  };
  addEventListener('keydown', key, true);
  addEventListener('keyup', release, true);
  addEventListener('paste', paste);
  return () => {
    removeEventListener('keydown', key, true);
    removeEventListener('keyup', release, true);
    removeEventListener('paste', paste);
  };
}
