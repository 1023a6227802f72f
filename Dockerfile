# fastproxy as an image. Two targets:
#   fastproxy         (the default) the proxy alone: Python, no Node, no compiler
#   fastproxy-bridge  the bridge to the claude CLI, without the CLI: its licence does not let us pass it on
# Both run as user 10001 on a read-only root file system; docs/docker.md tells how.
#
# The bases are pinned to a patch release. A build that must be repeatable to the byte gives their digests too:
#   --build-arg PYTHON_IMAGE=docker.io/library/python:3.13.16-slim-trixie@sha256:…
ARG PYTHON_IMAGE=docker.io/library/python:3.13.16-slim-trixie
ARG NODE_IMAGE=docker.io/library/node:24.21.0-trixie-slim

# ---- the bridge as one file
FROM ${NODE_IMAGE} AS bundle
WORKDIR /src/bridge
COPY bridge/package.json bridge/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY bridge/build.mjs bridge/tsconfig.json ./
COPY bridge/src ./src
RUN npm run build

# ---- the proxy as one folder, /opt/fastproxy: every package by its hash, none compiled here
FROM ${PYTHON_IMAGE} AS environment
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements-build.lock requirements.lock ./
RUN python3 -m venv /build \
 && /build/bin/pip install --require-hashes --only-binary=:all: -r requirements-build.lock \
 && python3 -m venv /opt/fastproxy \
 && /opt/fastproxy/bin/pip install --no-compile --require-hashes --only-binary=:all: -r requirements.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY --from=bundle /src/bridge/dist ./bridge/dist
COPY fastproxy ./fastproxy
# unchecked-hash: the compiled files stay good when a builder resets the time stamps of their sources
RUN /build/bin/pip wheel --no-build-isolation --no-deps -w /wheels . \
 && /opt/fastproxy/bin/pip install --no-compile --no-deps /wheels/*.whl \
 && /opt/fastproxy/bin/pip uninstall -y pip \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/fastproxy/lib

# ---- target: the bridge
FROM ${NODE_IMAGE} AS fastproxy-bridge
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="fastproxy-bridge" \
      org.opencontainers.image.description="Anthropic's Messages API over the claude CLI, which is to be added." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
# /opt/claude is where `npm install -g @anthropic-ai/claude-code` puts the CLI, in an image made from this one
RUN useradd --uid 10001 --user-group --create-home fastproxy \
 && install -d -o fastproxy -g fastproxy /opt/claude
COPY --from=bundle /src/bridge/dist /opt/bridge
ENV NODE_ENV=production \
    NPM_CONFIG_PREFIX=/opt/claude \
    PATH=/opt/claude/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    FASTPROXY_BRIDGE_HOST=0.0.0.0 \
    FASTPROXY_BRIDGE_PORT=4001
USER 10001:10001
EXPOSE 4001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.FASTPROXY_BRIDGE_PORT}/health`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/opt/bridge/fastproxy-bridge.cjs"]

# ---- target: the proxy
FROM ${PYTHON_IMAGE} AS fastproxy
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="fastproxy" \
      org.opencontainers.image.description="Any OpenAI-compatible client to Gemini, Claude, DeepSeek and Ollama." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
RUN useradd --uid 10001 --user-group --create-home fastproxy
COPY --from=environment /opt/fastproxy /opt/fastproxy
ENV PATH=/opt/fastproxy/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1 \
    FASTPROXY_SERVER__HOST=0.0.0.0
# a fastproxy.toml mounted into this folder is found by `serve` and by `health`
WORKDIR /etc/fastproxy
USER 10001:10001
EXPOSE 4000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["fastproxy", "health"]
ENTRYPOINT ["fastproxy"]
CMD ["serve"]
