// The words of the page.
import { dictionary } from '../words/language.svelte';

export const words = dictionary({ title: 'Trung tâm đáp ứng' }, { title: 'Response centre' });
