#!/bin/sh
# Everything a change must pass before it lands: types, lint, format, walls, unused code, tests with coverage, audit.
set -eu
cd "$(dirname "$0")/.."
[ -x node_modules/.bin/tsc ] || npm ci --loglevel=error
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
tsc -p .
oxlint
oxfmt --check
knip
[ "${1:-}" = "--quick" ] && exec vitest run --project unit
# Other random cases than yesterday's; the test command itself takes the same ones every time.
OWT_SEED=new sh scripts/test.sh --coverage
npm audit --omit=dev --audit-level=high || echo "audit could not be completed (offline?)" >&2
