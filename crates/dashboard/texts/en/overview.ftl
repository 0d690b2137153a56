# Is everything all right.
overview-title = Overview
overview-fine = Everything is all right.
overview-concerns = { $count ->
    [one] { $count } thing to look at
   *[other] { $count } things to look at
}
overview-as-of = As of
overview-orders = Orders
overview-billing = Billing
overview-billz = Billz
overview-processes = Processes
overview-no-processes = No process has given a sign of life in the last seconds.
overview-since = since
overview-oldest = oldest waits for
overview-workers = workers
overview-last-hour = The last hour
overview-completed = jobs completed
overview-failed = jobs failed for good
overview-retried = attempts to be repeated
overview-job-time = time of a job: half / 95 %
overview-notified = notifications sent
overview-calls = calls
overview-calls-failed = calls that failed
overview-call-time = time of a call: half / 95 %
overview-budget-wait = wait for the budget: half / 95 %
overview-budget-waiting = calls that wait for the budget now
overview-breaker = breaker
breaker-closed = closed: calls pass
breaker-half-open = one call is tried
breaker-open = open: calls are held back
overview-requests = requests
overview-requests-failed = requests that failed
overview-request-time = time of a request: half / 95 %
overview-applied = events applied
overview-lag = events behind
overview-delay = delay of an event: half / 95 %
overview-set-aside = events set aside
overview-dead = dead letters
overview-charts = How it went
overview-hour = 1 hour
overview-day = 24 hours
overview-week = 7 days
overview-utc = Times along the charts are UTC.
concern-dependency = { $process }: { $dependency } does not work as it should.
concern-own-dependency = { $dependency } does not work as it should.
concern-away = { $dependency } does not answer.
concern-breaker = Calls to Billz are held back, since Billz cannot be reached.
concern-no-worker = No worker is connected to the queue.
concern-oldest = The oldest job has been waiting for { $age }.
concern-failed = { $count ->
    [one] { $count } job failed for good in the last hour.
   *[other] { $count } jobs failed for good in the last hour.
}
concern-dead = { $count ->
    [one] { $count } event went to the dead letters in the last hour.
   *[other] { $count } events went to the dead letters in the last hour.
}
concern-api = { $count ->
    [one] { $count } request to the API failed in the last hour.
   *[other] { $count } requests to the API failed in the last hour.
}
concern-notifications = { $count ->
    [one] { $count } attempt at a notification failed in the last hour.
   *[other] { $count } attempts at notifications failed in the last hour.
}
chart-empty = Nothing to show in this time.
chart-figures = The same as a table
chart-from = From
chart-jobs = Jobs
chart-completed = completed
chart-failed = failed
chart-retried = to be repeated
chart-job-time = Time of a job
chart-half = half take at most
chart-most = 95 % take at most
chart-waiting = Waiting jobs
chart-waiting-jobs = jobs
chart-oldest = Age of the oldest waiting job
chart-oldest-job = age
chart-billz = Calls of Billz
chart-answered = answered
chart-budget = Wait for the budget of Billz
chart-budget-waiting = Calls that wait for the budget
chart-calls = calls
chart-api = Requests to the API
chart-requests = all
chart-api-time = Time of a request
chart-events = Events
chart-applied = applied
chart-dead = dead letters
chart-set-aside = set aside
chart-lag = Events behind
chart-lag-events = events
