import react from '@vitejs/plugin-react';
import { defineConfig, type ProxyOptions } from 'vite';

const express: ProxyOptions = {
  target: 'http://localhost:3000',
  // If Express is killed, Vite leaves the page's connections open. Without this, the page notices after 30 s.
  configure: (proxy) =>
    proxy.on('proxyRes', (upstream, _request, response) => {
      upstream.once('error', () => response.destroy());
    }),
};

export default defineConfig({
  plugins: [react()],
  server: {
    // The durable proxy allows the chat route at APP_URL only, so Vite must not move to another port.
    port: 5173,
    strictPort: true,
    proxy: { '/v1/proxy': express, '/api': express },
  },
});
