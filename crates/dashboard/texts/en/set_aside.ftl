# Events that wait for their customers.
set-aside-title = Set-aside events
set-aside-about = Events about customers who are not known yet. They are applied by themselves once the customer appears, and go to the dead letters when their time is over.
set-aside-user = Customer id
set-aside-search = Search
set-aside-empty = No event waits.
set-aside-kind = Event
set-aside-from = From
set-aside-sent = Sent
set-aside-since = Waits since
set-aside-until = Expires
set-aside-event-title = { $kind }, set aside
set-aside-facts = What is known
set-aside-is-there = – is there by now
set-aside-is-not-there = – not known yet
set-aside-apply = Apply now
set-aside-discard = Discard
set-aside-discard-question = Discard this event for good? It will never take effect.
set-aside-discarded = { $kind } was discarded.
set-aside-gone = This event no longer waits: it was applied, discarded, or has expired.
set-aside-no-customer = There is still no customer { $id }; the event goes on waiting.
set-aside-applied = { $count ->
    [one] { $count } event was applied.
   *[other] { $count } events were applied.
}
sent-title = As it was sent
sent-masked = Personal data is masked: of letters and digits only the shape is left.
sent-key = Key
sent-headers = Headers
sent-value = Value
sent-hex = no text; bytes as hexadecimal digits
sent-nothing = Empty.
