"""Settings of Progress Site, from the environment or from a `.env` file beside manage.py.

The environment wins over the file. An invalid value stops the start with the name of its setting.
ENV_FILE names another file; an empty ENV_FILE reads none.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from progress_site import database_url, environment, log_config
from progress_site.sign_in import configuration

BASE_DIR = Path(__file__).resolve().parent.parent

ENV_FILE = os.environ.get("ENV_FILE", str(BASE_DIR / ".env"))
if ENV_FILE and Path(ENV_FILE).is_file():
    environment.env.read_env(ENV_FILE)

# Deployment

DEBUG = environment.boolean("DEBUG", default=False)
SECRET_KEY = environment.secret("SECRET_KEY", debug=DEBUG)
SECRET_KEY_FALLBACKS = environment.words("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = environment.hosts("ALLOWED_HOSTS", default="127.0.0.1,localhost,[::1]", debug=DEBUG)
CSRF_TRUSTED_ORIGINS = environment.origins("CSRF_TRUSTED_ORIGINS")
PUBLIC_HOSTS = environment.public(ALLOWED_HOSTS)
HTTPS = environment.boolean("HTTPS", default=bool(PUBLIC_HOSTS) and not DEBUG)
HTTPS_IS_GIVEN = environment.is_given("HTTPS")
PUBLIC_URL = environment.public_url("PUBLIC_URL", hosts=PUBLIC_HOSTS, https=HTTPS)
HSTS_SECONDS = environment.integer("HSTS_SECONDS", default=86_400, minimum=0, maximum=63_072_000)
HSTS_INCLUDE_SUBDOMAINS = environment.boolean("HSTS_INCLUDE_SUBDOMAINS", default=False)
HSTS_PRELOAD = environment.boolean("HSTS_PRELOAD", default=False)
PATH_PREFIX = environment.path_prefix("PATH_PREFIX")
COOKIE_PREFIX = environment.token("COOKIE_PREFIX", default=environment.cookie_prefix(PATH_PREFIX))
TRUSTED_PROXIES = environment.networks("TRUSTED_PROXIES", default="127.0.0.0/8,::1")
ENVIRONMENT_LABEL = environment.label("ENVIRONMENT_LABEL")
SESSION_HOURS = environment.integer("SESSION_HOURS", default=12, minimum=1, maximum=720)
LOG_LEVEL = environment.choice("LOG_LEVEL", default="INFO", of=("DEBUG", "INFO", "WARNING", "ERROR"))
SQLITE_URL = f"sqlite:///{BASE_DIR}/data/progress.sqlite3"
DATABASE_PARTS = {
    "HOST": environment.text("DATABASE_HOST"),
    "PORT": environment.text("DATABASE_PORT"),
    "NAME": environment.text("DATABASE_NAME"),
    "USER": environment.text("DATABASE_USER"),
    "PASSWORD": environment.text("DATABASE_PASSWORD"),
    "OPTIONS": environment.text("DATABASE_OPTIONS"),
}
DATABASES = {"default": database_url.read("DATABASE_URL", default=SQLITE_URL, parts=DATABASE_PARTS)}
REDIS_PASSWORD = environment.text("REDIS_PASSWORD")
REDIS_URL = environment.url("REDIS_URL", "redis", "rediss", "unix", password=REDIS_PASSWORD)
AMQP_PASSWORD = environment.text("AMQP_PASSWORD")
AMQP_URL = environment.url("AMQP_URL", "amqp", "amqps", password=AMQP_PASSWORD)
WEBHOOK_ALLOW_PRIVATE = environment.boolean("WEBHOOK_ALLOW_PRIVATE", default=False)
WEBHOOK_PROXY = environment.url("WEBHOOK_PROXY", "http", "https")
WEBHOOK_CA_FILE = environment.certificates("WEBHOOK_CA_FILE")
OIDC = configuration.read_company()
LOCAL_SIGN_IN, BREAK_GLASS_ACCOUNT = configuration.read_local_sign_in(OIDC)
SECOND_FACTOR_ROLES = configuration.read_second_factor_roles()
# EMAIL_HOST, EMAIL_PORT and the other settings of mail; the mails of the site are sent by the deliverer.
EMAIL_URL = environment.text("EMAIL_URL")
vars().update(environment.mail("EMAIL_URL"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = environment.sender("DEFAULT_FROM_EMAIL", default="progress-site@localhost")

# Rules of jobs and items; durations in seconds

COMPLETION_THRESHOLD_PERCENTAGE = environment.percentage("COMPLETION_THRESHOLD_PERCENTAGE", default=90)
WATERMARK_TTL_SECONDS = environment.seconds("WATERMARK_TTL_SECONDS", default=900)
ITEM_LEASE_SECONDS = environment.seconds("ITEM_LEASE_SECONDS", default=90)
ITEM_MAX_ATTEMPTS = environment.integer("ITEM_MAX_ATTEMPTS", default=3, minimum=1, maximum=1000)
ITEM_RETRIES = environment.integer("ITEM_RETRIES", default=0, minimum=0, maximum=100)
WORKER_FAILURE_LIMIT = environment.integer("WORKER_FAILURE_LIMIT", default=20, minimum=0, maximum=1_000_000)
WORKER_QUARANTINE_SECONDS = environment.seconds("WORKER_QUARANTINE_SECONDS", default=900)
JOB_SILENT_AFTER = environment.seconds("JOB_SILENT_AFTER", default=600)
JOB_STALLED_AFTER = environment.seconds("JOB_STALLED_AFTER", default=1800)
# Days after which the incident of a failed job ends by itself; 0: never.
INCIDENT_EXPIRES_DAYS = environment.days("INCIDENT_EXPIRES_DAYS", default=7)
# Days that finished jobs, and timeline rows with dead letters, are kept by `prune`; 0 keeps them for ever.
RETENTION_COMPLETED_DAYS = environment.days("RETENTION_COMPLETED_DAYS", default=30)
RETENTION_FAILED_DAYS = environment.days("RETENTION_FAILED_DAYS", default=90)
RETENTION_CANCELLED_DAYS = environment.days("RETENTION_CANCELLED_DAYS", default=90)
RETENTION_TIMELINE_DAYS = environment.days("RETENTION_TIMELINE_DAYS", default=365)
# Access to /metrics: a bearer token, networks, or both; without either everybody reads them, without names of projects.
METRICS_TOKEN = environment.bearer("METRICS_TOKEN")
METRICS_NETWORKS = environment.networks("METRICS_NETWORKS")
METRICS_PROJECTS = environment.integer("METRICS_PROJECTS", default=50, minimum=0, maximum=1000)
METRICS_SECONDS = 5  # that the figures of the database are kept for further scrapers
PROMETHEUS_MULTIPROC_DIR = environment.folder("PROMETHEUS_MULTIPROC_DIR")
WATCHDOG_INTERVAL = environment.seconds("WATCHDOG_INTERVAL", default=2)
DELIVERY_INTERVAL = 1
# Open sockets and streams of one account in one process; the oldest closes for a newer one.
LIVE_CONNECTIONS_PER_ACCOUNT = environment.integer(
    "LIVE_CONNECTIONS_PER_ACCOUNT", default=50, minimum=1, maximum=100_000
)

# Applications and middlewares

ROOT_URLCONF = "progress_site.urls"
ASGI_APPLICATION = "progress_site.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "daphne",
    "progress_site.sign_in.apps.SignInAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "knox",
    "corsheaders",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "progress_site.sign_in.apps.SignInConfig",
    "csp",
    "django_structlog",
    "jobs.apps.JobsConfig",
    "jobs.console.apps.ConsoleConfig",
    "jobs.vision.apps.VisionConfig",
    "ocr_chunks.apps.OcrChunksConfig",
    "training.apps.TrainingConfig",
]

MIDDLEWARE = [
    "progress_site.health.ProbeMiddleware",
    "progress_site.compression.CompressionMiddleware",
    "progress_site.rest.exceptions.ProblemMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "progress_site.static_files.StaticFiles",
    "csp.middleware.CSPMiddleware",
    "progress_site.session_security.HeadersMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "progress_site.session_security.SessionAgeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "progress_site.sign_in.middleware.SecondFactorMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "progress_site.client_ip.LogMiddleware",
    "axes.middleware.AxesMiddleware",
    "jobs.console.sections.SectionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL]},
    }
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"},
}

# Language, time, static files

LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = r"Y-m-d H:i:s \U\T\C"
FORCE_SCRIPT_NAME = PATH_PREFIX or None
STATIC_URL = f"{PATH_PREFIX}/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "progress_site.static_files.VersionedStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# Sign-in

LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AUTHENTICATION_BACKENDS = configuration.backends(local=LOCAL_SIGN_IN, company=OIDC)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
# Ten wrong passwords for a name from one address lock this pair for fifteen minutes after the last one. Further
# attempts do not extend the lock. progress_site.client_ip defines the address.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "progress_site.error_views.locked_out"
AXES_CLIENT_IP_CALLABLE = "progress_site.client_ip.client_network"
AXES_CLIENT_STR_CALLABLE = "progress_site.sign_in.audit.client_text"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
ACCOUNT_ADAPTER = "progress_site.sign_in.adapters.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_UNIQUE_EMAIL = False
ACCOUNT_USERNAME_BLACKLIST = [BREAK_GLASS_ACCOUNT] if BREAK_GLASS_ACCOUNT else []
# Each process counts these for itself. Wrong answers are counted in the database: by axes, and in sign_in.factors.
ACCOUNT_RATE_LIMITS = {"login_failed": "", "reauthenticate": "30/5m/user", "company": "60/5m/ip"}
SOCIALACCOUNT_ADAPTER = "progress_site.sign_in.adapters.CompanyAdapter"
SOCIALACCOUNT_PROVIDERS = configuration.providers(OIDC)
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
MFA_ADAPTER = "progress_site.sign_in.factors.FactorAdapter"
MFA_FORMS = {
    "authenticate": "progress_site.sign_in.forms.CodeForm",
    "reauthenticate": "progress_site.sign_in.forms.ConfirmCodeForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_ALLOW_UNVERIFIED_EMAIL = True
# The clock of a telephone may differ by half a minute.
MFA_TOTP_TOLERANCE = 1
# Browsers offer security keys over HTTPS, and over plain HTTP only on localhost.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_TTL": None, "AUTO_REFRESH": False}

# Browser security

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    },
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = HSTS_SECONDS if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS and HSTS_INCLUDE_SUBDOMAINS
SECURE_HSTS_PRELOAD = HTTPS and HSTS_PRELOAD
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# Browsers accept a cookie with the prefix __Host- only from this host, for all of its paths, and over HTTPS; one
# with __Secure- over HTTPS. COOKIE_PREFIX separates several sites on one host, because browsers send the cookies of a
# host to all of its ports.
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = f"{PATH_PREFIX}/"
COOKIE_GUARD = ("__Secure-" if PATH_PREFIX else "__Host-") if HTTPS else ""
SESSION_COOKIE_NAME = f"{COOKIE_GUARD}{COOKIE_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{COOKIE_GUARD}{COOKIE_PREFIX}csrftoken"
# Pages of these origins may read the API. They send a token, never the session of an operator.
CORS_ALLOWED_ORIGINS = environment.origins("CORS_ORIGINS")
CORS_URLS_REGEX = r"^/api/v1/"
CORS_ALLOW_METHODS = ("GET", "HEAD", "OPTIONS")
CORS_ALLOW_HEADERS = ("authorization", "accept", "if-none-match", "last-event-id")
CORS_EXPOSE_HEADERS = ("ETag", "Retry-After")
CORS_ALLOW_CREDENTIALS = False
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
CSRF_FAILURE_VIEW = "progress_site.error_views.csrf_failure"
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
SESSION_ENGINE = "progress_site.session_store"
# The proxy redirects to HTTPS; probes and workers inside the network use plain HTTP. HSTS for subdomains and the
# preload list affect other sites of the domain, so they are off by default.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]

# REST API

DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "progress_site.rest.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["progress_site.rest.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "jobs.api.schema_class.OperationSchema",
    "EXCEPTION_HANDLER": "progress_site.rest.exceptions.handle",
    "URL_FORMAT_OVERRIDE": None,  # `?format=` is no part of this API
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Progress Site",
    "DESCRIPTION": "Progress of long-running pipeline jobs: workers report, operators watch and act.",
    "VERSION": "1",
    "LICENSE": {"name": "No licence is granted yet", "identifier": "LicenseRef-Proprietary"},
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVERS": [{"url": PATH_PREFIX or "/"}],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "jobs.api.schema_document.complete",
    ],
}

# Log: one line for each event, with ids, on stderr

LOGGING = log_config.logging(level=LOG_LEVEL, console=DEBUG)
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True  # progress_site.forwarded_headers has checked it
DJANGO_STRUCTLOG_STATUS_DEFAULT_LOG_LEVEL = log_config.DEBUG
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = log_config.INFO
log_config.configure()
