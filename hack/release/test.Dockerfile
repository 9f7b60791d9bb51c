# What tests run inside a cluster: the sources of this tree over Tollgate's own image, with the real SDK. The arguments are
# those of node, e.g. test/fakes/upstream/main.ts.
ARG BUILD_BASE
ARG BASE

FROM ${BUILD_BASE} AS sdk
COPY package.json ./
RUN npm install --prefix /sdk --ignore-scripts --no-progress "@anthropic-ai/sdk@$(node -p "require('./package.json').devDependencies['@anthropic-ai/sdk']")"

FROM ${BASE}
WORKDIR /app/tests
COPY --from=sdk /sdk/node_modules ./node_modules
COPY . .
ENTRYPOINT ["node"]
