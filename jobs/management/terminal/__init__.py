"""Options, arguments and live view of `manage.py jobs`. The tables are those of `progress_client.command`."""
