"""Sign-in: local accounts, single sign-on by OpenID Connect, and second factors, on top of django-allauth."""
