# Jobs: in the queue, in the ledger, searched for, and many at a time.
jobs-title = Jobs
jobs-list = Jobs
jobs-id = Job
jobs-state = State
jobs-type = Type
jobs-added = Added
jobs-ended = Ended
jobs-changed = Last changed
jobs-attempts = Attempts
jobs-correlation = Correlation id
jobs-reason = Failure
jobs-order = Order
jobs-any = any
jobs-from = From (UTC)
jobs-to = To (UTC)
jobs-filter-button = Show
jobs-time-wrong = A time could not be read, so it does not count. Write it like 2026-11-29T17:45.
jobs-none = There are no such jobs in the queue.
jobs-none-so-far = None among the jobs looked at so far. Look on below.
jobs-first = From the beginning
jobs-look-on = Look on from place { $place }
jobs-in-queue = Jobs in the queue
jobs-search = Find a job
jobs-search-button = Find
jobs-search-hint = A job id, a correlation id, an order's number or id, a sale's id in Billz, or a phone number. A phone number is shown masked.
jobs-search-title = Jobs found
jobs-search-for = Searched for
jobs-search-bounded = The queue is long: only the first jobs of each state were looked into. What has run is found in the history below, whenever that was.
jobs-history-title = History
jobs-history-hint = Every operation of the last 30 days, also those whose jobs the queue no longer keeps. Jobs that only read are not in it.
jobs-history-none = The ledger has no such operations.
jobs-ledger-running = running
jobs-ledger-waiting = to be tried again
jobs-bulk-title = Many jobs at once
jobs-bulk-action = Action
jobs-bulk-retry = Retry all of these
jobs-bulk-promote = Let all of these run now
jobs-bulk-remove = Remove all of these
jobs-bulk-wrong = The filter or the action is wrong: expected a state and a type that exist, times like 2026-11-29T17:45, and an action that fits the state.
jobs-bulk-count = { $count ->
    [one] { $count } job matches.
   *[other] { $count } jobs match.
}
jobs-bulk-count-more = { $count ->
    [one] { $count } job matches among the first { $looked }; there may be more, which take another go.
   *[other] { $count } jobs match among the first { $looked }; there may be more, which take another go.
}
jobs-bulk-question = This acts on every job that the filter takes at that moment. Jobs that have moved on meanwhile are skipped.
jobs-bulk-done = Done: { $done }. Skipped since they had moved on or it is not safe: { $skipped }. Failed: { $broken }. Left for another go: { $left }.
