"""Notifications of people about incidents, by mail and by the services of Apprise.

queue               writes a message per state and channel, in the transaction of the incident
schedule            the time of a message: rules, minimum age, quiet hours, the state of the incident
channel_leases      channels with due messages and without a deliverer
channel_run         the messages of one channel, singly or as a digest
notifier            all channels in parallel; `notify` sends what is due once
texts               subjects and bodies
sending             one message through Apprise or by mail
addresses, secrets, connection_guard   what an address may be, how it is kept, where it may lead
results             answers, retries, and the incident of a failing channel
"""

from jobs.notifications.notifier import Notifier, notify, send_now
from jobs.notifications.queue import enqueue

__all__ = ["Notifier", "enqueue", "notify", "send_now"]
