import { defineConfig } from 'vite';

// `vite dev` talks to a running server; change the address with SIDETONE_URL.
declare const process: { env: Record<string, string | undefined> };
const server = process.env['SIDETONE_URL'] ?? 'http://localhost:8088';

export default defineConfig({
  // The page may be below a prefix (http.conf), so it names its files from where it is itself.
  base: './',
  // JsSIP's dependencies expect Node's `global`.
  define: { global: 'globalThis' },
  build: {
    target: 'es2022',
    // The server's Content-Security-Policy allows files of its own origin only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
  },
  server: {
    proxy: {
      '/client.json': server,
      '/ws': { target: server.replace(/^http/, 'ws'), ws: true },
    },
  },
});
