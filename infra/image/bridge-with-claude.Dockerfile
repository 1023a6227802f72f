# The bridge with the claude CLI, for your own use: the CLI is Anthropic's, under Anthropic's terms.
ARG BRIDGE_IMAGE=localhost/fastproxy-bridge:dev
FROM ${BRIDGE_IMAGE}
RUN npm install -g @anthropic-ai/claude-code@2.1.197
