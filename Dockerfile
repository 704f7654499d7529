# One image for each service: docker build --target api|worker|worker-cuda|webhooks|dashboard .
# The paths in an image are the repository's, so the commands are the same in both.

FROM node:24-slim AS build
WORKDIR /src
# onnxruntime-node would download CUDA libraries; only worker-cuda needs them, and asks below.
ENV CI=true ONNXRUNTIME_NODE_INSTALL=skip
# First what changes rarely: the downloads stay cached until the lockfile changes.
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml .npmrc ./
RUN npx --yes "$(node -p 'require("./package.json").packageManager')" fetch
COPY . .
RUN npx --yes "$(node -p 'require("./package.json").packageManager')" install --frozen-lockfile --offline \
  && node_modules/.bin/tsc -b

# Each service with its production dependencies alone.
FROM build AS api-files
RUN node scripts/container/bundle.mjs api /bundle
FROM build AS webhooks-files
RUN node scripts/container/bundle.mjs webhooks /bundle
FROM build AS worker-files
RUN node scripts/container/bundle.mjs worker /bundle
FROM build AS worker-cuda-files
RUN node scripts/container/bundle.mjs worker /bundle --cuda
FROM build AS dashboard-files
RUN node scripts/container/bundle.mjs dashboard /bundle

FROM node:24-slim AS service
WORKDIR /app
ENV NODE_ENV=production
USER node
# The health checks ask whether the process lives. Whether it is ready is another question: a
# service that waits for Redis is not mended by a restart.

FROM service AS api
COPY --from=api-files /bundle ./
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.QUERN_API_PORT||8080}/v2/health/live`).then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
CMD ["node", "packages/api/dist/main.js"]

FROM service AS dashboard
COPY --from=dashboard-files /bundle ./
EXPOSE 8081
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.QUERN_DASHBOARD_PORT||8081}/health/live`).then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
CMD ["node", "packages/dashboard/dist/main.js"]

FROM service AS webhooks
COPY --from=webhooks-files /bundle ./
EXPOSE 8083
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.QUERN_WEBHOOKS_PORT||8083}/health/live`).then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
CMD ["node", "packages/webhooks/dist/main.js"]

FROM service AS worker
COPY --from=worker-files /bundle ./
EXPOSE 8082
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.QUERN_WORKER_PORT||8082}/health/live`).then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
CMD ["node", "packages/worker/dist/main.js"]

# ONNX Runtime's CUDA provider wants CUDA 12 and cuDNN 9. Node's binary from the slim image asks
# for an older glibc than this Ubuntu has; `node --version` proves it while the image is built.
FROM nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04 AS worker-cuda
RUN apt-get update \
  && apt-get install --yes --no-install-recommends libatomic1 libstdc++6 \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --create-home --shell /usr/sbin/nologin node
COPY --from=service /usr/local/bin/node /usr/local/bin/node
RUN node --version
WORKDIR /app
ENV NODE_ENV=production
USER node
COPY --from=worker-cuda-files /bundle ./
EXPOSE 8082
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.QUERN_WORKER_PORT||8082}/health/live`).then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
CMD ["node", "packages/worker/dist/main.js"]
