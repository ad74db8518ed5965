// One sentence on what was just done, shown on the part of the page that one comes to, until one goes on.
let said = $state.raw('');
let kind = $state.raw<'good' | 'bad'>('good');

export const notice = {
  get now(): string {
    return said;
  },
  /** Whether it was done. */
  get kind(): 'good' | 'bad' {
    return kind;
  },
  say(text: string, how: 'good' | 'bad' = 'good'): void {
    [said, kind] = [text, how];
  },
};
