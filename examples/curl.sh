#!/usr/bin/env bash
# A chat, the same as a stream, and the headers that say who answered.
set -euo pipefail
url=http://127.0.0.1:4000/v1/chat/completions
json='content-type: application/json'

echo "whole:"
curl -sS "$url" -H "$json" \
  -d '{"model": "demo-echo", "messages": [{"role": "user", "content": "Hello, proxy"}]}'

echo -e "\n\nstreamed:"
curl -sSN "$url" -H "$json" \
  -d '{"model": "demo-echo", "stream": true, "messages": [{"role": "user", "content": "Hello, stream"}]}'

echo "headers:"
curl -sS -o /dev/null -D - "$url" -H "$json" \
  -d '{"model": "demo-echo", "messages": [{"role": "user", "content": "Who answers?"}]}' | grep -i '^x-fastproxy'
