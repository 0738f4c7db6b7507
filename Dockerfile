# 3.11 is the oldest Python the bot runs on, and the one its suite runs on.
FROM python:3.11-slim AS build
WORKDIR /build
# The packages first: they change seldom, so this layer is seldom built again.
COPY requirements.lock ./
RUN python -m venv --without-pip /opt/kvid-bot \
 && pip --python /opt/kvid-bot/bin/python install --no-cache-dir --require-hashes --no-deps -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY cogs cogs
COPY db db
# setuptools is locked with the rest because the build needs it; the running bot does not.
RUN pip --python /opt/kvid-bot/bin/python install --no-index --no-deps --no-build-isolation . \
 && pip --python /opt/kvid-bot/bin/python uninstall --yes setuptools


FROM python:3.11-slim
RUN groupadd --system --gid 10001 kvid-bot \
 && useradd --system --uid 10001 --gid kvid-bot --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin kvid-bot \
 && install --directory --owner kvid-bot --group kvid-bot --mode 0700 /data
COPY --from=build /opt/kvid-bot /opt/kvid-bot
ENV PATH=/opt/kvid-bot/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DATABASE_URL=sqlite:////data/kvid-bot.db \
    HTTP_PORT=8080 \
    LOG_FORMAT=json
WORKDIR /data
USER 10001:10001
VOLUME /data
# http.client, because urllib would go through a proxy that the environment names.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['HTTP_PORT']), timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["kvid-bot"]
CMD ["run"]
