// The pages' build: one HTML file a page into target/web, which src/http/pages.rs serves.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { compressed } from './build/compressed.ts';
import { kept } from './build/kept.ts';

const service = process.env['THEXANH_URL'] ?? 'http://127.0.0.1:8080';
const pages = ['index', 'scan', 'desk', 'board', 'centre', 'login'];

export default defineConfig({
  plugins: [svelte(), kept(pages), compressed()],
  server: { proxy: { '/v1': service, '/openapi.json': service, '/docs': service } },
  build: {
    outDir: '../../target/web',
    emptyOutDir: true,
    target: 'es2022',
    // The policy of the pages has no room for data: in scripts and styles, and small files compress well.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { ...Object.fromEntries(pages.map((page) => [page, `${page}.html`])), sw: 'offline/sw.ts' },
      output: {
        entryFileNames: (chunk) => (chunk.name === 'sw' ? 'sw.js' : 'assets/[name].[hash].js'),
        chunkFileNames: 'assets/[name].[hash].js',
        assetFileNames: 'assets/[name].[hash][extname]',
      },
    },
  },
  worker: {
    format: 'es',
    rollupOptions: { output: { entryFileNames: 'assets/[name].[hash].js', chunkFileNames: 'assets/[name].[hash].js', assetFileNames: 'assets/[name].[hash][extname]' } },
  },
});
