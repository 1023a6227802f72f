#!/usr/bin/env bash
# Builds localhost/fastproxy:dev and localhost/fastproxy-bridge:dev with whatever builds images here: Docker, Podman or
# buildah. Further arguments go to the builder: infra/image/build.sh --platform linux/arm64
#   BASES=stand-in  for machines without an image registry: tests/image/stand_in_bases.sh makes the bases
set -euo pipefail
cd "$(dirname "$0")/../.."

if docker info >/dev/null 2>&1; then
  build=(docker build)
elif command -v buildah >/dev/null; then
  # chroot: also where this itself runs in a container; docker: the format that knows health checks
  build=(buildah build --layers --isolation chroot --format docker)
elif command -v podman >/dev/null; then
  build=(podman build --format docker)
else
  echo "install Docker, Podman or buildah to build images" >&2
  exit 1
fi

if [ "${BASES:-}" = stand-in ]; then
  tests/image/stand_in_bases.sh
  build+=(--build-arg PYTHON_IMAGE=localhost/stand-in/python --build-arg NODE_IMAGE=localhost/stand-in/node)
fi

for target in fastproxy fastproxy-bridge; do
  "${build[@]}" --target "$target" --tag "localhost/$target:dev" "$@" .
done
