#!/bin/sh
# Installs the Debian packages named in a list if any is missing. Usage: install_packages.sh LIST
set -eu
missing=""
for package in $(sed 's/#.*//' "$1"); do
  dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null; then
  echo "saetap: this is no Debian system; install what corresponds to:$missing" >&2
  exit 1
fi
if [ "$(id -u)" != 0 ]; then
  echo "saetap: Debian packages are missing; run: sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
  exit 1
fi
apt-get update -qq
# shellcheck disable=SC2086 — a list of words
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
