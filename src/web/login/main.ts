import { start } from '../shared/start';
import Page from './Page.svelte';

start(Page);
