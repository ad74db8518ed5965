// How kinds and states of tickets look: a badge's class; the word in it says the same.
import type { Ticket } from './tickets.svelte';

export const KINDS: Record<Ticket['kind'], string> = { severe_reaction: 'bad', overdue_correction: 'warn', call: '' };
export const STATUSES: Record<Ticket['status'], string> = { open: 'warn', assigned: '', closed: 'good' };
