import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const { PORT = '3000', APP_URL = 'http://localhost:5173' } = process.env;
const server = `http://localhost:${PORT}`;

export default defineConfig({
  plugins: [react()],
  server: {
    // The proxy allows the chat route at APP_URL only, so Vite must not move to another port.
    port: Number(new URL(APP_URL).port),
    strictPort: true,
    proxy: { '/v1/proxy': server, '/api': server },
  },
});
