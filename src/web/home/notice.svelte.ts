// One sentence on what was just done, shown on the part of the page that one comes to, until one goes on.
let said = $state.raw('');

export const notice = {
  get now(): string {
    return said;
  },
  say(text: string): void {
    said = text;
  },
};
