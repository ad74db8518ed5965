// What is put on paper: a label for a roll of 50 × 30 mm, a slip of the same size, or a sheet of A4. `Printed.svelte` lays it out.
import { mount, tick } from 'svelte';
import Printed from './Printed.svelte';

export interface Paper {
  kind: 'label' | 'slip' | 'sheet';
  /** The address of the code's picture; a slip has none. */
  picture?: string;
  /** The card's colour; a slip has none. */
  colour?: 'yellow' | 'green';
  /** How many doses, or what the slip is. */
  word: string;
  name: string;
  /** As people read it, like the day of the dose. */
  birth: string;
  product: string;
  givenOn: string;
  record_no: string;
  facility: string;
  note?: string;
}

export const printing = $state<{ now: Paper | undefined }>({ now: undefined });
let mounted = false;

/** Asks the browser to print, once the picture is there. */
export async function print(paper: Paper): Promise<void> {
  if (!mounted) mount(Printed, { target: document.body });
  mounted = true;
  printing.now = paper;
  await tick();
  const picture = document.querySelector<HTMLImageElement>('.paper img');
  await picture?.decode().catch(() => undefined);
  addEventListener('afterprint', () => (printing.now = undefined), { once: true });
  window.print();
}
