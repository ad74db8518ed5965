// The words of the page.
import { dictionary } from '../words/language.svelte';

export const words = dictionary({ title: 'Bàn tiêm' }, { title: 'Vaccination desk' });
