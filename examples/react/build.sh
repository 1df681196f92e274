#!/bin/sh
# Builds dist/; `make examples` runs it. Where no node is found it says so and succeeds: nothing but the page's
# test needs it. Built again only when a source, the lock or the schema changed.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
venv=${VENV:-$root/.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
cd "$root/examples/react"

built_from() {
  find src index.html ./*.json ./*.ts ../../schema.graphql -name __generated__ -prune -o -type f -print |
    LC_ALL=C sort | xargs cksum | cksum
}

[ "$(cat dist/.built-from 2>/dev/null)" = "$(built_from)" ] && exit 0

command -v npm >/dev/null 2>&1 || PATH=$venv/bin:$PATH # where `make web` installs one
if ! command -v npm >/dev/null 2>&1; then
  echo "examples/react: not built: needs node 20.19+ or 22.12+ with npm, then \`make examples\`." >&2
  exit 0
fi

echo "examples/react: building with node $(node --version)"
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
fi
npm run --silent build -- --outDir node_modules/.dist
built_from >node_modules/.dist/.built-from
rm -rf dist
mv node_modules/.dist dist
