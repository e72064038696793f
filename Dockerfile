# Image of the site with uvicorn and the clients of PostgreSQL, Redis and RabbitMQ. Its commands also run as the watchdog,
# the deliverer and the consumer.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --system --uid 10001 --home-dir /srv/progress --create-home progress
WORKDIR /srv/progress

COPY requirements.txt requirements-scale.txt ./
COPY client client
RUN pip install -r requirements-scale.txt

COPY manage.py ./
COPY progress_site progress_site
COPY jobs jobs
COPY ocr_chunks ocr_chunks
COPY training training
COPY templates templates
RUN mkdir data && chown progress data

USER progress
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s CMD ["python", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["uvicorn", "progress_site.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--no-server-header", \
  "--ws-max-size", "65536", "--timeout-graceful-shutdown", "10", "--lifespan", "off"]
