#!/bin/sh
# Installs what the tests need and passes them all. On Debian as root the system packages are installed; elsewhere they are named.
set -eu
cd "$(dirname "$0")/.."

missing=""
for tool in git tmux unshare script; do
  command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
if [ -n "$missing" ]; then
  packages=$(echo "$missing" | sed "s/unshare/util-linux/; s/script/bsdutils/")
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -qq && apt-get install -y -qq $packages
  else
    echo "the tests need:$missing — install with: apt-get install$packages (or: brew install$packages)" >&2
    exit 1
  fi
fi

# Their completion is tested where they are; nobody has to install a shell for that.
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  for shell in zsh fish; do
    command -v "$shell" >/dev/null 2>&1 || apt-get install -y -qq "$shell" >/dev/null 2>&1 || echo "no $shell to be had: its completion is not tested" >&2
  done
fi

# What sees every write of a run, so that the power can fail under it; without it that is not tested.
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  command -v strace >/dev/null 2>&1 || apt-get install -y -qq strace >/dev/null 2>&1 || echo "no strace to be had: power cuts are not tested" >&2
else
  command -v strace >/dev/null 2>&1 || echo "power cuts are not tested; install with: apt-get install strace" >&2
fi

# What sets the clock under a run; without it that is not tested.
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  command -v faketime >/dev/null 2>&1 || apt-get install -y -qq faketime >/dev/null 2>&1 || echo "no faketime to be had: jumps of the clock are not tested" >&2
else
  command -v faketime >/dev/null 2>&1 || echo "jumps of the clock are not tested; install with: apt-get install faketime (or: brew install libfaketime)" >&2
fi

[ -x node_modules/.bin/vitest ] && [ -x node_modules/.bin/node ] || npm ci --loglevel=error
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
case "$(node --version)" in
  v2[4-9].* | v[3-9]?.*) ;;
  *) echo "npm did not run the install script of the package 'node'; run: npm rebuild node" >&2; exit 1 ;;
esac

node scripts/build.ts
node scripts/fetch-agents.ts
exec vitest run "$@"
