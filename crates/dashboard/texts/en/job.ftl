# One job.
job-title = Job { $id }
job-next = What happens next
job-next-paused = The queue is paused. The job waits until somebody resumes the queue.
job-next-waiting = The next free worker takes it, after the jobs before it.
job-next-prioritized = It has priority { $priority }: jobs without a priority and those with a lower number go first.
job-next-retry-at = The next attempt is due at { $at }. Attempts that failed so far: { $attempts }. “Run now” makes it at once.
job-next-delayed = It was put off and is due at { $at }. “Run now” lets it run at once.
job-next-active = A worker is running it right now.
job-next-stalled = It is marked as running, but no worker holds it: its worker died. Another one takes it within half a minute and goes on where it stopped.
job-next-completed = It is done. Nothing more happens.
job-next-failed = It failed for good and nothing more happens by itself. Remove the cause and press “Retry”: what has taken effect in Billz already is not done twice.
job-next-failed-cancelled = It failed for good, and everything was taken back in Billz. “Retry” places the order anew from the first step.
job-next-compensating = The order cannot be placed, and what was made of it in Billz is being taken back by the worker, again and again until that succeeds. Wait for it.
job-next-breaker = Billz does not answer: the breaker holds calls back until { $at }. Jobs wait in the queue until then.
job-next-budget = { $count ->
    [one] { $count } call of this process waits for the budget of Billz calls. Payments go first.
   *[other] { $count } calls of this process wait for the budget of Billz calls. Payments go first.
}
job-next-no-worker = No worker is connected to the queue. Start one.
job-next-lost = The queue no longer has this job, and the ledger does not know how it ended. Have its producer add it again with the same correlation id: what was done already is not done twice.
job-next-gone = The queue no longer keeps this job. To do it again, have its producer add it again.
job-not-in-queue = The queue no longer keeps this job; this is what the ledger remembers.
job-retry = Retry
job-retry-question = Retry this job? What has taken effect in Billz already is not done twice; an order that was taken back is placed anew.
job-retried = The job is back in the queue.
job-run-now = Run now
job-run-now-question = Let this job run before all others?
job-runs-now = The job is at the head of the queue.
job-promote = End the delay
job-promote-question = End the delay and put the job at the end of the queue?
job-promoted = The job is waiting in the queue.
job-remove = Remove
job-remove-question = Remove this job from the queue? What it has done stays done, and what it has not done will not be done.
job-removed = Job { $id } was removed.
job-reopen = Look again from here
job-reopen-question = Have this step and the ones after it looked up in Billz again? A step that has taken effect there is not taken again.
job-reopened = { $count ->
    [one] { $count } step will be looked up again by the next attempt.
   *[other] { $count } steps will be looked up again by the next attempt.
}
job-busy = A worker is working on this order right now. Wait until its attempt has ended.
job-facts = Facts
job-name = Name
job-began = Last attempt began
job-priority = Priority
job-progress = Progress
job-order = Open the order
job-saga = The order's way into Billz
job-saga-empty = No step was taken yet.
job-saga-running = under way
job-saga-placed = placed
job-saga-compensating = being taken back
job-saga-cancelled = taken back
job-saga-obstacle = Taking it back did not succeed yet:
job-saga-due = next try
job-step-create-draft = Create the draft
job-step-create-client = Create the client in Billz
job-step-client = The client is known in Billz
job-step-attach-client = Attach the client
job-step-add-item = Add product { $product }
job-step-discount = Give the discount
job-step-park = Park the sale
job-step-pay = Pay the sale
job-step-strays = Delete drafts whose answer was lost
job-step-other = Step { $name }
job-step-done = done
job-step-open = outcome not known
job-why-placed = Not to be repeated: the order is placed.
job-why-being-taken-back = Not to be repeated: the order is being taken back.
job-why-taken-back = Everything was taken back; “Retry” begins anew.
job-why-under-way = The order is under way already.
job-why-payment = Not to be repeated: a payment was begun, and only reading Billz may tell what came of it. So nobody pays twice.
job-why-parked = Not to be repeated: the sale is parked, and its contents cannot change.
job-why-another = Not to be repeated: a second draft or client could come of it.
job-why-open = The next attempt looks it up in Billz anyway.
job-why-no-step = There is no such step.
job-attempts = Attempts and Billz calls
job-attempts-none = No attempt was recorded. One whose process died leaves no record, only its steps.
job-attempt = Attempt { $number }
job-outcome-retried = failed, tried again
job-outcome-handed-back = handed back
job-outcome-put-off = put off
job-calls = Billz calls
job-calls-none = No Billz call was made.
job-call = Call
job-call-outcome = Outcome
job-call-at = When
job-call-took = Took (ms, with the wait for the budget)
job-ledger = In the ledger
job-ledger-job = Run last by job
job-payload = Payload
job-redacted = Personal data and secrets are replaced by ***.
job-result = Result
job-options = Options
job-logs = Log
job-logs-none = The job has written no log.
job-logs-hidden = { $count ->
    [one] { $count } older line is not shown.
   *[other] { $count } older lines are not shown.
}
job-trace = Failed attempt
