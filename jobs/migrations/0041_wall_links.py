"""Links of the wall, and the permission to give them out."""

from __future__ import annotations

from django.conf import settings
from django.db import migrations, models
from django.db.models.deletion import CASCADE

from jobs.db.migration_steps import grant


class Migration(migrations.Migration):
    dependencies = [("jobs", "0040_endpoint_format"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="WallLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("label", models.CharField(max_length=80)),
                ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                (
                    "created_by",
                    models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=CASCADE, related_name="wall_links"),
                ),
                ("view", models.ForeignKey("jobs.savedview", blank=True, null=True, on_delete=CASCADE, related_name="+")),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": (),
                "permissions": [("manage_wall_links", "Can give out and revoke links of the wall")],
            },
        ),
        grant({"lead": ["manage_wall_links"]}),
    ]
