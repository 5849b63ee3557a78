# Two images. `tidegate`: token, api, webhook, worker and what prepares them, one after the other by their commands.
# `log`: collects what all containers say into files.
#
# BASE: any Debian or Ubuntu with Python 3.11 or newer, or that can install it; any architecture. Wheels below deploy/wheels are
# taken instead of a package index, so that it builds without a network.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS base
RUN if ! python3 -c 'import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
        || ! [ -s /etc/ssl/certs/ca-certificates.crt ]; then \
        apt-get update && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
        && rm -rf /var/lib/apt/lists/*; \
    fi

FROM base AS packages
WORKDIR /build
COPY deploy deploy
RUN python3 -m venv /opt/tidegate/venv \
    && if ls deploy/wheels/*.whl >/dev/null 2>&1; then from="--no-index --find-links deploy/wheels"; fi \
    && /opt/tidegate/venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes ${from:-} \
        -r deploy/requirements.lock \
    && /opt/tidegate/venv/bin/pip uninstall --quiet --yes pip

FROM ${BASE} AS log
RUN if ! command -v rsyslogd >/dev/null || ! command -v logrotate >/dev/null; then \
        apt-get update && apt-get install -y --no-install-recommends rsyslog logrotate && rm -rf /var/lib/apt/lists/*; \
    fi \
    && install -d -o 10001 -g 10001 -m 750 /var/log/tidegate
COPY deploy/log /etc/tidegate/
USER 10001:10001
VOLUME /var/log/tidegate
CMD ["sh", "-c", "rm -f /tmp/rsyslogd.pid; exec rsyslogd -n -f /etc/tidegate/rsyslog.conf -i /tmp/rsyslogd.pid"]

FROM base AS tidegate
RUN groupadd --gid 10001 tidegate && useradd --uid 10001 --gid tidegate --home-dir /var/lib/tidegate --no-create-home tidegate \
    && install -d -o tidegate -g tidegate -m 700 /var/lib/tidegate /var/lib/tidegate-database /run/tidegate /run/tidegate/master \
        /run/tidegate/database /etc/tidegate /etc/tidegate/nginx /etc/tidegate/registry /var/lib/registry \
        /var/lib/tidegate-backups /var/cache/tidegate /work
COPY --from=packages /opt/tidegate/venv /opt/tidegate/venv
COPY authsvc /opt/tidegate/app/authsvc
COPY webhook /opt/tidegate/app/webhook
COPY nginx /opt/tidegate/app/nginx
COPY registry-config /opt/tidegate/app/registry-config
COPY deploy/compose/secrets.sh /opt/tidegate/app/secrets.sh
RUN for entry in authsvc:authsvc.cli authsvc-healthy:authsvc.stack.healthy; do \
        printf '#!/bin/sh\nexec /opt/tidegate/venv/bin/python -m %s "$@"\n' "${entry#*:}" > "/usr/local/bin/${entry%%:*}" \
        && chmod 755 "/usr/local/bin/${entry%%:*}"; \
    done \
    && /opt/tidegate/venv/bin/python -m compileall -q /opt/tidegate/app
ENV PYTHONPATH=/opt/tidegate/app PYTHONDONTWRITEBYTECODE=1 TIDEGATE_STATE_DIR=/var/lib/tidegate
WORKDIR /opt/tidegate/app
USER tidegate
ENTRYPOINT ["authsvc"]
CMD ["--help"]
