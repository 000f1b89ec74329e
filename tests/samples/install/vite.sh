npm init --yes
npm pkg set type=module
npm install react react-dom
npm install --save-dev vite @vitejs/plugin-react tsx
