"""The format of the messages to an endpoint."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("jobs", "0032_saved_views")]

    operations = [
        migrations.AddField(
            model_name="endpoint",
            name="format",
            field=models.CharField(
                choices=[("json", "json"), ("cloudevents", "cloudevents")], default="json", max_length=11
            ),
        ),
        migrations.AddConstraint(
            model_name="endpoint",
            constraint=models.CheckConstraint(
                condition=Q(format__in=["json", "cloudevents"]), name="endpoint_format_known"
            ),
        ),
    ]
