// The words of the page.
import { dictionary } from '../words/language.svelte';

export const words = dictionary({ title: 'Tổng quan' }, { title: 'Overview' });
