# Image of the site with uvicorn and the clients of PostgreSQL, Redis and RabbitMQ. Its commands also run as the watchdog,
# the deliverer and the consumer. It needs no writable file but those in /tmp, and with SQLite the folder data.
# The base is pinned to a version; replace it by its digest if your registry may move a tag.
FROM python:3.11.14-slim-bookworm AS packages

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
WORKDIR /build
COPY requirements.txt requirements-scale.txt ./
COPY client client
# The client is installed as a copy, because its source stays behind in this stage.
RUN sed '/^-e /d' requirements.txt > installed.txt && sed 's/^-r requirements.txt/-r installed.txt/' requirements-scale.txt > scale.txt \
  && /opt/venv/bin/pip install ./client -r scale.txt

FROM python:3.11.14-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PATH=/opt/venv/bin:$PATH
RUN useradd --system --uid 10001 --home-dir /srv/progress --create-home progress
COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv/progress
COPY manage.py ./
COPY progress_site progress_site
COPY jobs jobs
COPY ocr_chunks ocr_chunks
COPY training training
COPY templates templates
# Its source too: the site serves the wheel of the client at /client/.
COPY client client
RUN mkdir data && chown progress data

USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s CMD ["python", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["uvicorn", "progress_site.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--no-server-header", \
  "--no-proxy-headers", "--ws-max-size", "65536", "--timeout-graceful-shutdown", "10", "--lifespan", "off"]
