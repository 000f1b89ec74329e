# The standalone proxy:
#   docker build -t durable-proxy .
#   docker run -e JWT_SECRET="$(openssl rand -base64 32)" -p 4440:4440 -v durable-proxy:/data durable-proxy \
#     --data-dir /data --allow 'https://api.openai.com/**'
FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsup.config.ts ./
COPY scripts ./scripts
COPY protocol ./protocol
COPY server ./server
COPY core-client ./core-client
COPY react ./react
COPY conformance ./conformance
COPY inspector-page ./inspector-page
RUN npm run build

FROM node:22-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts
# redis is an optional peer of the package, and part of this image in the version of package-lock.json.
RUN npm install --save-prod --omit=dev --ignore-scripts \
  "redis@$(node -p "require('./package-lock.json').packages['node_modules/redis'].version")"

FROM node:22-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/package.json ./package.json
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 4440
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT ?? 4440}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Node.js handles SIGTERM itself, so it can be the first process of the container.
ENTRYPOINT ["node", "dist/bin.js", "--host", "0.0.0.0"]
CMD ["--data-dir", "/data"]
