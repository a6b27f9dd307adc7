#!/bin/sh
# Stands where Ray Serve expects the HAProxy binary. Serve's template binds its statistics and metrics pages to every
# interface and has no setting for it, so each `bind :port` or `bind *:port` becomes 127.0.0.1 before HAProxy reads it.
# The rules of gateway.py are put into their sections, in place of the template's refusals, which are no problem+json.
set -eu
config=
previous=
for word in "$@"; do
  if [ "$previous" = "-f" ]; then config=$word; fi
  previous=$word
done
if [ -n "$config" ] && ! grep -q '^# Assay$' "$config"; then
  sed -i -E -e '1i # Assay' -e 's/^([[:space:]]*bind[[:space:]]+)\*?:/\1127.0.0.1:/' \
    -e '/^[[:space:]]*errorfile /d' -e "/^global\$/r $ASSAY_RULES/global.rules" \
    -e "/^defaults\$/r $ASSAY_RULES/defaults.rules" \
    -e "/^frontend http_frontend\$/r $ASSAY_RULES/frontend.rules" \
    -e "/^backend default_backend\$/r $ASSAY_RULES/nothing.rules" "$config"
fi
exec "$ASSAY_HAPROXY" "$@"
