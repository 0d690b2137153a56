# What pages are made of: lists, troubles, states.
pager-label = Pages of the list
pager-range = { $first }–{ $last }
pager-total = { $total ->
    [one] { $total } entry
   *[other] { $total } entries
}
pager-first = First
pager-previous = Previous
pager-next = Next
trouble-back = To the overview
trouble-away = { $name } is away
trouble-away-advice = { $name } did not answer in time. What does not need it still works. Load the page again once it is back; if it stays away, look whether it runs and whether its address is right.
trouble-not-configured = Not configured here
trouble-needs-worker = The order worker is not configured in this process. Open the dashboard of a process that runs it, or set BILLZ_TOKEN and BILLZ_SHOP_ID.
trouble-needs-billing = The billing product is not configured in this process. Open the dashboard of a process that runs it, or set BILLING_MONGODB_URI.
trouble-needs-events = The consumer of customer events is not configured in this process. Open the dashboard of a process that runs it, or set KAFKA_BROKERS.
trouble-needs-notifications = Notifications are off in this process. Set TELEGRAM_BOT_TOKEN and TELEGRAM_GROUP_ID.
trouble-needs-any-role = No role with a database is configured in this process.
trouble-not-found = Not found
trouble-no-page = There is no such page.
trouble-no-job = There is no job { $id } in the queue. It may have been removed after it ended.
trouble-no-topic = There is no topic { $topic }.
trouble-no-message = There is no message at { $place }.
trouble-refused = That cannot be done
trouble-job-state = Job { $id } is { $state }; this can be done only while it is { $expected }.
trouble-job-locked = Job { $id } is being run by a worker right now. Wait until it has ended.
trouble-failed = Something broke
trouble-failed-advice = Trying again may help. If it does not, the log of this process says more.
condition-up = up
condition-degraded = degraded
condition-down = down
state-waiting = waiting
state-prioritized = prioritized
state-delayed = delayed
state-active = active
state-completed = completed
state-failed = failed
