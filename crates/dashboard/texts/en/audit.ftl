# Who did what.
audit-title = Audit
audit-empty = Nobody has done anything here yet.
audit-when = When
audit-who = Who
audit-action = Action
audit-target = On
audit-outcome = Outcome
audit-address = From
audit-begun = begun
audit-done = done
audit-refused = refused
audit-failed = failed
