#!/bin/sh
# Stands where Ray Serve expects the HAProxy binary. Serve's template binds its statistics and metrics pages to every
# interface and has no setting for it, so each `bind :port` or `bind *:port` becomes 127.0.0.1 before HAProxy reads it.
set -eu
config=
previous=
for word in "$@"; do
  if [ "$previous" = "-f" ]; then config=$word; fi
  previous=$word
done
if [ -n "$config" ]; then
  sed -i -E 's/^([[:space:]]*bind[[:space:]]+)\*?:/\1127.0.0.1:/' "$config"
fi
exec "$ASSAY_HAPROXY" "$@"
