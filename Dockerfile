# One image with every command of Tollgate. Both bases need Node 24 as `node` on the PATH, the first one npm besides.
ARG BUILD_BASE=docker.io/library/node:24-bookworm-slim
ARG BASE=docker.io/library/node:24-bookworm-slim

FROM ${BUILD_BASE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# What only compiles and debugs against the packages is left out.
# `optional`: what a package could do with, such as the compiler with valibot.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-progress \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' \) -exec rm {} + \
 && rm -r node_modules/@types \
 && npm sbom --package-lock-only --omit=dev --sbom-format=cyclonedx >sbom.cdx.json
# Of what is for development, the compiler alone.
RUN npm install --prefix /compiler --ignore-scripts --no-progress "typescript@$(node -p "require('./package.json').devDependencies.typescript")"
COPY . .
RUN PATH=/compiler/node_modules/.bin:$PATH npm run build

FROM ${BASE}
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/package.json /app/sbom.cdx.json /app/LICENSE /app/docs/reference/licences.md ./
COPY --from=build /app/dist ./dist
ENV NODE_ENV=production
USER 65532:65532
ENTRYPOINT ["node", "/app/dist/bin/tollgate.js"]
