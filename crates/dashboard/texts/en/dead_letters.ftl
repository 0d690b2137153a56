# Messages that could never be applied.
dead-letters-title = Dead letters
dead-letters-empty = There is no dead letter here.
dead-letters-cut = Only the newest 500 are looked at; older ones are shown by `billwright events dlq list`.
dead-letters-any = any
dead-letters-search = Search
dead-letters-code = Kind of reason
dead-letters-topic = Topic
dead-letters-reason = Reason
dead-letters-place = Place
dead-letters-since = Since
dead-letters-bytes = Bytes
dead-letters-state = State
dead-letter-new = not put back
dead-letter-replayed = put back
dead-letters-choose = Choose
dead-letters-choose-one = Choose { $place }
dead-letters-replay-chosen = Put the chosen back…
dead-letters-replay-all = { $count ->
    [one] Put { $count } back…
   *[other] Put all { $count } back…
}
dead-letters-none-chosen = No dead letter was chosen, or all that were searched for were put back already.
dead-letters-too-many = At most { $most } dead letters are put back at once. Choose fewer.
dead-letters-replay-title = Put dead letters back
dead-letters-replay-goes = { $count ->
    [one] { $count } dead letter would go back into its topic. Nothing was sent yet.
   *[other] { $count } dead letters would go back into their topics. Nothing was sent yet.
}
dead-letters-replay-about = They are sent as they came, with their keys and headers. What still cannot be applied becomes a dead letter again; what was applied meanwhile changes nothing.
dead-letters-replay-into = Goes back into
dead-letters-replay-stays = Stays:
dead-letters-replay-now = Put back now
dead-letters-replayed = { $count ->
    [one] { $count } dead letter was put back; { $stayed } stayed.
   *[other] { $count } dead letters were put back; { $stayed } stayed.
}
dead-letter-title = Dead letter { $place }
dead-letter-facts = What is known
dead-letter-source = Came from
dead-letter-no-source = Its headers do not say.
dead-letter-replay = Put back…
