# syntax=docker/dockerfile:1
FROM node:24.21-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Without scripts, or npm would build before the sources are here; the build has its own step below.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:24.21-slim
ENV NODE_ENV=production
COPY --from=build /app/package.json /app/
COPY --from=build /app/node_modules /app/node_modules
COPY --from=build /app/dist /app/dist
COPY deploy/healthcheck.mjs /app/
COPY examples /app/examples
# Files are read and written here: mount the folder with your CSV files over it.
RUN mkdir /data && chown 1000:1000 /data
WORKDIR /data
# By number, which Kubernetes asks for (runAsNonRoot); it is the user node.
USER 1000:1000
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["worker"]
# Of a worker. docker-compose.yml has the other services' own; for docker run … dashboard, name it:
# --health-cmd 'node /app/healthcheck.mjs http://127.0.0.1:3000/healthz'
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["node", "/app/healthcheck.mjs"]
